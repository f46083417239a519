//! What clients ask about the server. The answers say as little as clients get by with.

use super::connection::REDIS_VERSION;
use super::{Answered, COMMANDS, Call, Refusal, is};

/// `redis-cli` asks for the manual of every command; there is none.
pub fn command(call: &mut Call) -> Answered {
    let what = if call.request.len() > 1 { call.argument(1) } else { b"" };
    if is(what, "DOCS") {
        call.reply().map(0);
    } else if is(what, "COUNT") {
        call.reply().integer(COMMANDS.len() as i64);
    } else {
        call.reply().array(0);
    }
    Ok(())
}

/// No setting is known under any name.
pub fn config(call: &mut Call) -> Answered {
    if !is(call.argument(1), "GET") {
        return Err(Refusal::Other("this server has no settings".into()));
    }
    call.reply().map(0);
    Ok(())
}

pub fn info(call: &mut Call) -> Answered {
    let world = &call.world;
    let text = format!(
        "# Server\r\nredis_version:{REDIS_VERSION}\r\nredis_mode:standalone\r\nlibparmap_version:{}\r\n\
         # Clients\r\nconnected_clients:{}\r\nmaxclients:{}\r\n\
         # Memory\r\nused_memory:{}\r\nmaxmemory:{}\r\n\
         # Keyspace\r\ndb0:keys={}\r\n",
        env!("CARGO_PKG_VERSION"),
        world.clients,
        world.limits.clients,
        world.store.used() + world.buffered,
        world.limits.data,
        world.store.len()
    );
    call.reply().bulk(text.as_bytes());
    Ok(())
}
