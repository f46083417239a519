//! Messages to whoever listens at the moment.

use super::{Answered, Call, Refusal};
use crate::sync::server::client::Client;
use crate::sync::server::world::{Message, World};
use std::rc::Rc;

pub fn publish(call: &mut Call) -> Answered {
    let (channel, text) = (call.argument(1), call.argument(2));
    let mut count = 0;
    if let Some((channel, listeners)) = call.world.channels.get_key_value(channel) {
        count = listeners.len();
        call.world.published.push(Message { channel: channel.clone(), text: text.into() });
    }
    call.reply().integer(count as i64);
    Ok(())
}

/// To one who listens.
pub fn hand_message(world: &World, client: &mut Client, channel: &[u8], text: &[u8]) {
    let mut message = client.message(world);
    message.push(3);
    message.bulk(b"message");
    message.bulk(channel);
    message.bulk(text);
}

pub fn subscribe(call: &mut Call) -> Answered {
    if call.client.channels.len() + call.request.len() > call.world.limits.names {
        return Err(Refusal::Other("too many subscriptions".into()));
    }
    for name in call.request.arguments(1) {
        let channel: Rc<[u8]> = match call.world.channels.get_key_value(name) {
            Some((known, _)) => known.clone(),
            None => name.into(),
        };
        call.world.channels.entry(channel.clone()).or_default().insert(call.client.id);
        call.client.channels.insert(channel);
        tell(call, b"subscribe", Some(name));
    }
    Ok(())
}

pub fn unsubscribe(call: &mut Call) -> Answered {
    if call.request.len() > 1 {
        for name in call.request.arguments(1) {
            leave(call, name);
        }
        return Ok(());
    }
    let all: Vec<_> = call.client.channels.iter().cloned().collect();
    for name in &all {
        leave(call, name);
    }
    if all.is_empty() {
        tell(call, b"unsubscribe", None);
    }
    Ok(())
}

fn leave(call: &mut Call, name: &[u8]) {
    call.client.channels.remove(name);
    call.world.unsubscribe(call.client.id, name);
    tell(call, b"unsubscribe", Some(name));
}

fn tell(call: &mut Call, what: &[u8], name: Option<&[u8]>) {
    let count = call.client.channels.len();
    let mut reply = call.reply();
    reply.push(3);
    reply.bulk(what);
    reply.optional(name);
    reply.integer(count as i64);
}
