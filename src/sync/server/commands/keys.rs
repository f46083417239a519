//! Keys of any kind: whether they are there, and for how long.

use super::{Answered, Call, Refusal, integer};
use crate::sync::server::store::Value;

pub fn del(call: &mut Call) -> Answered {
    let count = call.request.arguments(1).filter(|key| call.world.store.remove(key)).count();
    call.reply().integer(count as i64);
    Ok(())
}

pub fn exists(call: &mut Call) -> Answered {
    let count = call.request.arguments(1).filter(|key| call.world.store.contains(key)).count();
    call.reply().integer(count as i64);
    Ok(())
}

pub fn kind(call: &mut Call) -> Answered {
    let kind = match call.world.store.value(call.argument(1)) {
        None => "none",
        Some(Value::Text(_)) => "string",
        Some(Value::List(_)) => "list",
    };
    call.reply().simple(kind);
    Ok(())
}

pub fn expire(call: &mut Call) -> Answered {
    expire_after(call, 1000, "expire")
}

pub fn pexpire(call: &mut Call) -> Answered {
    expire_after(call, 1, "pexpire")
}

fn expire_after(call: &mut Call, unit: i64, name: &str) -> Answered {
    let key = call.argument(1);
    let ms = integer(call.argument(2))?.checked_mul(unit);
    let at = ms.and_then(|ms| ms.checked_add(call.world.now() as i64));
    let at = at.ok_or_else(|| Refusal::Other(format!("invalid expire time in '{name}' command")))?;
    let is_there = match u64::try_from(at) {
        Ok(at) if at > call.world.now() => call.world.store.expire(key, Some(at)),
        _ => call.world.store.remove(key),
    };
    call.reply().integer(i64::from(is_there));
    Ok(())
}

pub fn persist(call: &mut Call) -> Answered {
    let key = call.argument(1);
    let expired = matches!(call.world.store.expiry(key), Some(Some(_)));
    if expired {
        call.world.store.expire(key, None);
    }
    call.reply().integer(i64::from(expired));
    Ok(())
}

pub fn ttl(call: &mut Call) -> Answered {
    let ms = remaining(call);
    // Rounded, as Redis does.
    call.reply().integer(if ms < 0 { ms } else { ms / 1000 + (ms % 1000 + 500) / 1000 });
    Ok(())
}

pub fn pttl(call: &mut Call) -> Answered {
    let ms = remaining(call);
    call.reply().integer(ms);
    Ok(())
}

/// Milliseconds; -1 for ever, -2 no such key.
fn remaining(call: &mut Call) -> i64 {
    match call.world.store.expiry(call.argument(1)) {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => (at - call.world.now()) as i64,
    }
}

pub fn keys(call: &mut Call) -> Answered {
    /// Looking for a long one takes long, and everybody waits.
    const LONGEST: usize = 256;
    let pattern = call.argument(1);
    if pattern.len() > LONGEST {
        return Err(Refusal::Other(format!("the pattern is longer than {LONGEST} bytes")));
    }
    let store = &call.world.store;
    let found = || store.keys().filter(|key| matches(pattern, key));
    let mut reply = call.client.reply();
    reply.array(found().count());
    found().for_each(|key| reply.bulk(key));
    Ok(())
}

pub fn dbsize(call: &mut Call) -> Answered {
    let len = call.world.store.len();
    call.reply().integer(len as i64);
    Ok(())
}

pub fn flush(call: &mut Call) -> Answered {
    call.world.store.clear();
    call.reply().ok();
    Ok(())
}

/// Whether a text fits a pattern of `*`, `?` and `\`. The last star is the only one that need be tried again, so the time is
/// at most the product of the lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let (literal, width) = match pattern.get(p) {
            Some(b'\\') if p + 1 < pattern.len() => (Some(pattern[p + 1]), 2),
            Some(b'?') => (Some(text[t]), 1),
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            other => (other.copied(), 1),
        };
        if literal == Some(text[t]) {
            (p, t) = (p + width, t + 1);
        } else if let Some((after, from)) = star {
            star = Some((after, from + 1));
            (p, t) = (after, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}
