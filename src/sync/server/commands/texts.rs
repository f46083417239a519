//! Texts, and numbers that are written as texts.

use super::{Answered, Call, Refusal, integer, is};
use crate::sync::server::reply::Digits;
use crate::sync::server::request::number;
use crate::sync::server::store::Value;

pub fn get(call: &mut Call) -> Answered {
    let text = call.world.store.text(call.argument(1))?;
    call.client.reply().optional(text);
    Ok(())
}

pub fn mget(call: &mut Call) -> Answered {
    let count = call.request.len() - 1;
    call.reply().array(count);
    for key in call.request.arguments(1) {
        // A key of another kind is as good as none here.
        let text = call.world.store.text(key).unwrap_or(None);
        call.client.reply().optional(text);
        if call.client.has_overflowed() {
            break;
        }
    }
    Ok(())
}

pub fn strlen(call: &mut Call) -> Answered {
    let len = call.world.store.text(call.argument(1))?.map_or(0, <[u8]>::len);
    call.reply().integer(len as i64);
    Ok(())
}

/// `SET key text [NX | XX] [GET] [EX s | PX ms | KEEPTTL]`
pub fn set(call: &mut Call) -> Answered {
    let (key, text) = (call.argument(1), call.argument(2));
    let (mut only_new, mut only_old, mut tells_old, mut keeps_expiry) = (false, false, false, false);
    let mut expires = None;
    let mut options = call.request.arguments(3);
    while let Some(option) = options.next() {
        if is(option, "NX") && !only_old {
            only_new = true;
        } else if is(option, "XX") && !only_new {
            only_old = true;
        } else if is(option, "GET") {
            tells_old = true;
        } else if is(option, "KEEPTTL") && expires.is_none() {
            keeps_expiry = true;
        } else if (is(option, "EX") || is(option, "PX")) && expires.is_none() && !keeps_expiry {
            let value = integer(options.next().ok_or(Refusal::Syntax)?)?;
            expires = Some(deadline(call, value, is(option, "EX"), "set")?);
        } else {
            return Err(Refusal::Syntax);
        }
    }
    let is_there = call.world.store.contains(key);
    if tells_old {
        let old = call.world.store.text(key)?;
        call.client.reply().optional(old);
    }
    if (only_new && is_there) || (only_old && !is_there) {
        if !tells_old {
            call.reply().null();
        }
        return Ok(());
    }
    call.world.store.put(key, text);
    if !keeps_expiry {
        call.world.store.expire(key, expires);
    }
    if !tells_old {
        call.reply().ok();
    }
    Ok(())
}

pub fn setnx(call: &mut Call) -> Answered {
    let (key, text) = (call.argument(1), call.argument(2));
    let is_new = !call.world.store.contains(key);
    if is_new {
        call.world.store.put(key, text);
    }
    call.reply().integer(i64::from(is_new));
    Ok(())
}

pub fn setex(call: &mut Call) -> Answered {
    set_expiring(call, true, "setex")
}

pub fn psetex(call: &mut Call) -> Answered {
    set_expiring(call, false, "psetex")
}

fn set_expiring(call: &mut Call, seconds: bool, name: &str) -> Answered {
    let (key, text) = (call.argument(1), call.argument(3));
    let at = deadline(call, integer(call.argument(2))?, seconds, name)?;
    call.world.store.put(key, text);
    call.world.store.expire(key, Some(at));
    call.reply().ok();
    Ok(())
}

/// When something expires that lives for a time from now on.
fn deadline(call: &Call, time: i64, seconds: bool, name: &str) -> Result<u64, Refusal> {
    let ms = if seconds { time.checked_mul(1000) } else { Some(time) };
    let ms = ms.and_then(|ms| u64::try_from(ms).ok()).filter(|&ms| ms > 0);
    let at = ms.and_then(|ms| call.world.now().checked_add(ms)).filter(|&at| at < i64::MAX as u64);
    at.ok_or_else(|| Refusal::Other(format!("invalid expire time in '{name}' command")))
}

pub fn incr(call: &mut Call) -> Answered {
    add(call, 1)
}

pub fn decr(call: &mut Call) -> Answered {
    add(call, -1)
}

pub fn incrby(call: &mut Call) -> Answered {
    let by = integer(call.argument(2))?;
    add(call, by)
}

pub fn decrby(call: &mut Call) -> Answered {
    let by = integer(call.argument(2))?;
    add(call, by.checked_neg().ok_or(Refusal::OutOfRange("decrement"))?)
}

fn add(call: &mut Call, by: i64) -> Answered {
    let key = call.argument(1);
    let before = match call.world.store.value(key) {
        None => 0,
        Some(Value::Text(text)) => number(text).ok_or(Refusal::NotAnInteger)?,
        Some(Value::List(_)) => return Err(Refusal::WrongType),
    };
    let now = before.checked_add(by);
    let now = now.ok_or_else(|| Refusal::Other("increment or decrement would overflow".into()))?;
    call.world.store.put(key, Digits::default().of(now));
    call.reply().integer(now);
    Ok(())
}
