//! The connection itself: which protocol it speaks, and who speaks it.

use super::{Answered, Call, Refusal, integer, is, transactions};

/// What clients are told that they talk to; they conclude from it which commands they may use.
pub const REDIS_VERSION: &str = "7.0.0";
const LONGEST_NAME: usize = 256;

pub fn ping(call: &mut Call) -> Answered {
    let text = (call.request.len() > 1).then(|| call.argument(1));
    let listening = !call.client.channels.is_empty() && !call.client.resp3;
    let mut reply = call.reply();
    match text {
        _ if listening => {
            reply.array(2);
            reply.bulk(b"pong");
            reply.bulk(text.unwrap_or_default());
        }
        Some(text) => reply.bulk(text),
        None => reply.simple("PONG"),
    }
    Ok(())
}

pub fn echo(call: &mut Call) -> Answered {
    let text = call.argument(1);
    call.reply().bulk(text);
    Ok(())
}

pub fn quit(call: &mut Call) -> Answered {
    call.reply().ok();
    call.client.leaving = true;
    Ok(())
}

pub fn reset(call: &mut Call) -> Answered {
    for channel in std::mem::take(&mut call.client.channels) {
        call.world.unsubscribe(call.client.id, &channel);
    }
    transactions::forget(call);
    call.client.queued = None;
    call.client.name.clear();
    call.client.resp3 = false;
    call.reply().simple("RESET");
    Ok(())
}

/// `HELLO [2 | 3 [AUTH user password] [SETNAME name]]`
pub fn hello(call: &mut Call) -> Answered {
    let mut resp3 = call.client.resp3;
    if call.request.len() > 1 {
        resp3 = match call.argument(1) {
            b"2" => false,
            b"3" => true,
            _ => {
                call.reply().error(format_args!("NOPROTO unsupported protocol version"));
                return Ok(());
            }
        };
    }
    let mut options = call.request.arguments(2);
    while let Some(option) = options.next() {
        if is(option, "AUTH") {
            let user = options.next().ok_or(Refusal::Syntax)?;
            options.next().ok_or(Refusal::Syntax)?;
            if user != b"default" {
                return wrong_password(call);
            }
        } else if is(option, "SETNAME") {
            set_name(call, options.next().ok_or(Refusal::Syntax)?)?;
        } else {
            return Err(Refusal::Syntax);
        }
    }
    call.client.resp3 = resp3;
    let id = call.client.id as i64;
    let mut reply = call.reply();
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.integer(if resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(id);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
    Ok(())
}

/// There is no password: the folder keeps strangers out. As a Redis without one, any will do for the default user.
pub fn auth(call: &mut Call) -> Answered {
    if call.request.len() == 2 {
        return Err(Refusal::Other(
            "AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?".into(),
        ));
    }
    if call.argument(1) != b"default" {
        return wrong_password(call);
    }
    call.reply().ok();
    Ok(())
}

fn wrong_password(call: &mut Call) -> Answered {
    call.reply().error(format_args!("WRONGPASS invalid username-password pair or user is disabled."));
    Ok(())
}

pub fn select(call: &mut Call) -> Answered {
    if integer(call.argument(1))? != 0 {
        return Err(Refusal::OutOfRange("DB index"));
    }
    call.reply().ok();
    Ok(())
}

pub fn client(call: &mut Call) -> Answered {
    let what = call.argument(1);
    let words = call.request.len();
    if is(what, "ID") {
        let id = call.client.id as i64;
        call.reply().integer(id);
    } else if is(what, "GETNAME") {
        let name = call.client.name.clone();
        call.reply().optional((!name.is_empty()).then_some(&name));
    } else if is(what, "SETNAME") && words == 3 {
        set_name(call, call.request.argument(2))?;
        call.reply().ok();
    } else if ["SETINFO", "NO-EVICT", "NO-TOUCH"].iter().any(|known| is(what, known)) {
        // Nothing here depends on it.
        call.reply().ok();
    } else {
        return Err(Refusal::Other("unknown subcommand of 'client'".into()));
    }
    Ok(())
}

fn set_name(call: &mut Call, name: &[u8]) -> Answered {
    if name.len() > LONGEST_NAME || !name.iter().all(u8::is_ascii_graphic) {
        return Err(Refusal::Other("Client names cannot contain spaces, newlines or special characters.".into()));
    }
    call.client.name = name.to_vec();
    Ok(())
}
