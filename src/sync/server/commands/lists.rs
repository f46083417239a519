//! Lists, which are the queues of `par_sync_push` and `par_sync_pop`, and waiting for their elements.

use super::{Answered, Call, Refusal, integer, no_room};
use crate::sync::server::client::Client;
use crate::sync::server::store::WrongType;
use crate::sync::server::waiters::Wait;
use crate::sync::server::world::World;

pub fn lpush(call: &mut Call) -> Answered {
    push(call, true)
}

pub fn rpush(call: &mut Call) -> Answered {
    push(call, false)
}

fn push(call: &mut Call, left: bool) -> Answered {
    let key = call.argument(1);
    let len = call.world.store.push(key, call.request.arguments(2), left)?;
    call.world.waiters.notice(key);
    call.reply().integer(len as i64);
    Ok(())
}

pub fn lpop(call: &mut Call) -> Answered {
    pop(call, true)
}

pub fn rpop(call: &mut Call) -> Answered {
    pop(call, false)
}

fn pop(call: &mut Call, left: bool) -> Answered {
    if call.client.hung_up {
        return Ok(());
    }
    let key = call.argument(1);
    if call.request.len() == 2 {
        check_room(call, key, left, 1)?;
        let element = call.world.store.pop(key, left)?;
        call.reply().optional(element.as_deref());
        return Ok(());
    }
    let count = integer(call.argument(2))?;
    let count = usize::try_from(count).map_err(|_| Refusal::OutOfRange("value"))?;
    let Some(len) = call.world.store.list(key)?.map(|list| list.len()) else {
        call.reply().null_array();
        return Ok(());
    };
    let count = count.min(len);
    check_room(call, key, left, count)?;
    call.reply().array(count);
    for _ in 0..count {
        let element = call.world.store.pop(key, left)?;
        call.reply().optional(element.as_deref());
    }
    Ok(())
}

pub fn blpop(call: &mut Call) -> Answered {
    pop_or_wait(call, true)
}

pub fn brpop(call: &mut Call) -> Answered {
    pop_or_wait(call, false)
}

fn pop_or_wait(call: &mut Call, left: bool) -> Answered {
    if call.client.hung_up {
        return Ok(());
    }
    let last = call.request.len() - 1;
    let seconds = std::str::from_utf8(call.argument(last)).ok().and_then(|text| text.parse::<f64>().ok());
    let seconds = seconds.filter(|seconds| seconds.is_finite());
    let seconds = seconds.ok_or_else(|| Refusal::Other("timeout is not a float or out of range".into()))?;
    if seconds < 0.0 {
        return Err(Refusal::Other("timeout is negative".into()));
    }
    let keys = call.request.arguments(1).take(last - 1);
    for key in keys.clone() {
        check_room(call, key, left, 1)?;
        if let Some(element) = call.world.store.pop(key, left)? {
            let mut reply = call.reply();
            reply.array(2);
            reply.bulk(key);
            reply.bulk(&element);
            return Ok(());
        }
    }
    if call.within {
        call.reply().null_array();
        return Ok(());
    }
    // A cast to u64 stays within its range.
    let ms = (seconds * 1000.0).ceil() as u64;
    let until = (ms > 0).then(|| call.world.now().saturating_add(ms));
    let wait = Wait { keys: keys.map(Into::into).collect(), left, until };
    call.world.waiters.add(call.client.id, &wait);
    call.client.waiting = Some(wait);
    Ok(())
}

/// What was taken and cannot be told would be lost, so it is not taken.
fn check_room(call: &mut Call, key: &[u8], left: bool, count: usize) -> Answered {
    if has_room(call.world, call.client, key, left, count)? { Ok(()) } else { Err(Refusal::NoRoom) }
}

fn has_room(world: &mut World, client: &mut Client, key: &[u8], left: bool, count: usize) -> Result<bool, WrongType> {
    let Some(list) = world.store.list(key)? else { return Ok(true) };
    let bytes: usize = match left {
        true => list.iter().take(count).map(|element| element.len()).sum(),
        false => list.iter().rev().take(count).map(|element| element.len()).sum(),
    };
    // The array and the key come with them.
    Ok(client.reply().has_room_for(count + 2, key.len() + bytes))
}

/// To a client whose wait for an element of `key` is over.
pub fn hand_element(world: &mut World, client: &mut Client, key: &[u8], wait: &Wait) {
    client.allow(world);
    if let Ok(false) = has_room(world, client, key, wait.left, 1) {
        return no_room(&mut client.reply());
    }
    let Ok(Some(element)) = world.store.pop(key, wait.left) else { return };
    let mut reply = client.reply();
    reply.array(2);
    reply.bulk(key);
    reply.bulk(&element);
}

pub fn llen(call: &mut Call) -> Answered {
    let len = call.world.store.list(call.argument(1))?.map_or(0, |list| list.len());
    call.reply().integer(len as i64);
    Ok(())
}

pub fn lrange(call: &mut Call) -> Answered {
    let (from, to) = (integer(call.argument(2))?, integer(call.argument(3))?);
    let Some(list) = call.world.store.list(call.request.argument(1))? else {
        call.reply().array(0);
        return Ok(());
    };
    let len = list.len() as i64;
    // Negative places count from the end.
    let place = |at: i64| if at < 0 { at.saturating_add(len) } else { at };
    let (from, to) = (place(from).max(0), place(to).min(len - 1));
    let mut reply = call.client.reply();
    if from > to {
        reply.array(0);
        return Ok(());
    }
    reply.array((to - from + 1) as usize);
    for element in list.range(from as usize..=to as usize) {
        reply.bulk(element);
    }
    Ok(())
}
