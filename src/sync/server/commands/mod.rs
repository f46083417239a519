//! What each command does, by the rules and in the words of Redis.
//!
//! `run` finds a command in the table and checks what all have in common; the files beside this one hold them by topic.

mod about;
mod channels;
mod connection;
mod keys;
mod lists;
mod texts;
mod transactions;

use super::client::Client;
use super::reply::Reply;
use super::request::{Request, number};
use super::store::WrongType;
use super::world::World;

pub use channels::hand_message;
pub use lists::hand_element;

/// One command on its way: what it says, who says it, what it works on.
pub struct Call<'a> {
    world: &'a mut World,
    client: &'a mut Client,
    request: &'a Request<'a>,
    /// Part of a transaction, which waits for nothing.
    within: bool,
}

impl<'a> Call<'a> {
    fn argument(&self, i: usize) -> &'a [u8] {
        self.request.argument(i)
    }

    fn reply(&mut self) -> Reply<'_> {
        self.client.reply()
    }
}

/// Why a command is refused.
pub enum Refusal {
    Syntax,
    WrongType,
    NotAnInteger,
    OutOfRange(&'static str),
    /// The store holds as much as it may.
    Full,
    /// So do the buffers.
    NoRoom,
    Other(String),
}

impl From<WrongType> for Refusal {
    fn from(_: WrongType) -> Refusal {
        Refusal::WrongType
    }
}

type Answered = Result<(), Refusal>;

struct Command {
    name: &'static str,
    run: fn(&mut Call) -> Answered,
    /// Words, the name included.
    least: usize,
    most: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// Adds to what the store holds.
    Adds,
    /// Is run when it comes, also while a transaction is being put together.
    Immediate,
    /// As `Immediate`, and may be said while subscribed.
    Always,
    /// May be said while subscribed in RESP2, where answers and messages look alike.
    Listening,
}

const MANY: usize = usize::MAX;

#[rustfmt::skip]
const COMMANDS: &[Command] = {
    use Kind::*;
    &[
        Command { name: "GET",         run: texts::get,               least: 2, most: 2,    kind: Plain },
        Command { name: "SET",         run: texts::set,               least: 3, most: MANY, kind: Adds },
        Command { name: "INCR",        run: texts::incr,              least: 2, most: 2,    kind: Adds },
        Command { name: "INCRBY",      run: texts::incrby,            least: 3, most: 3,    kind: Adds },
        Command { name: "DECR",        run: texts::decr,              least: 2, most: 2,    kind: Adds },
        Command { name: "DECRBY",      run: texts::decrby,            least: 3, most: 3,    kind: Adds },
        Command { name: "LPUSH",       run: lists::lpush,             least: 3, most: MANY, kind: Adds },
        Command { name: "RPUSH",       run: lists::rpush,             least: 3, most: MANY, kind: Adds },
        Command { name: "LPOP",        run: lists::lpop,              least: 2, most: 3,    kind: Plain },
        Command { name: "RPOP",        run: lists::rpop,              least: 2, most: 3,    kind: Plain },
        Command { name: "BLPOP",       run: lists::blpop,             least: 3, most: MANY, kind: Plain },
        Command { name: "BRPOP",       run: lists::brpop,             least: 3, most: MANY, kind: Plain },
        Command { name: "LLEN",        run: lists::llen,              least: 2, most: 2,    kind: Plain },
        Command { name: "LRANGE",      run: lists::lrange,            least: 4, most: 4,    kind: Plain },
        Command { name: "DEL",         run: keys::del,                least: 2, most: MANY, kind: Plain },
        Command { name: "UNLINK",      run: keys::del,                least: 2, most: MANY, kind: Plain },
        Command { name: "EXISTS",      run: keys::exists,             least: 2, most: MANY, kind: Plain },
        Command { name: "TYPE",        run: keys::kind,               least: 2, most: 2,    kind: Plain },
        Command { name: "EXPIRE",      run: keys::expire,             least: 3, most: 3,    kind: Plain },
        Command { name: "PEXPIRE",     run: keys::pexpire,            least: 3, most: 3,    kind: Plain },
        Command { name: "PERSIST",     run: keys::persist,            least: 2, most: 2,    kind: Plain },
        Command { name: "TTL",         run: keys::ttl,                least: 2, most: 2,    kind: Plain },
        Command { name: "PTTL",        run: keys::pttl,               least: 2, most: 2,    kind: Plain },
        Command { name: "KEYS",        run: keys::keys,               least: 2, most: 2,    kind: Plain },
        Command { name: "DBSIZE",      run: keys::dbsize,             least: 1, most: 1,    kind: Plain },
        Command { name: "FLUSHDB",     run: keys::flush,              least: 1, most: 2,    kind: Plain },
        Command { name: "FLUSHALL",    run: keys::flush,              least: 1, most: 2,    kind: Plain },
        Command { name: "MGET",        run: texts::mget,              least: 2, most: MANY, kind: Plain },
        Command { name: "SETNX",       run: texts::setnx,             least: 3, most: 3,    kind: Adds },
        Command { name: "SETEX",       run: texts::setex,             least: 4, most: 4,    kind: Adds },
        Command { name: "PSETEX",      run: texts::psetex,            least: 4, most: 4,    kind: Adds },
        Command { name: "STRLEN",      run: texts::strlen,            least: 2, most: 2,    kind: Plain },
        Command { name: "MULTI",       run: transactions::multi,      least: 1, most: 1,    kind: Immediate },
        Command { name: "EXEC",        run: transactions::exec,       least: 1, most: 1,    kind: Immediate },
        Command { name: "DISCARD",     run: transactions::discard,    least: 1, most: 1,    kind: Immediate },
        Command { name: "WATCH",       run: transactions::watch,      least: 2, most: MANY, kind: Immediate },
        Command { name: "UNWATCH",     run: transactions::unwatch,    least: 1, most: 1,    kind: Plain },
        Command { name: "PUBLISH",     run: channels::publish,        least: 3, most: 3,    kind: Plain },
        Command { name: "SUBSCRIBE",   run: channels::subscribe,      least: 2, most: MANY, kind: Listening },
        Command { name: "UNSUBSCRIBE", run: channels::unsubscribe,    least: 1, most: MANY, kind: Listening },
        Command { name: "PING",        run: connection::ping,         least: 1, most: 2,    kind: Listening },
        Command { name: "QUIT",        run: connection::quit,         least: 1, most: MANY, kind: Always },
        Command { name: "RESET",       run: connection::reset,        least: 1, most: 1,    kind: Always },
        Command { name: "ECHO",        run: connection::echo,         least: 2, most: 2,    kind: Plain },
        Command { name: "HELLO",       run: connection::hello,        least: 1, most: MANY, kind: Plain },
        Command { name: "AUTH",        run: connection::auth,         least: 2, most: 3,    kind: Plain },
        Command { name: "SELECT",      run: connection::select,       least: 2, most: 2,    kind: Plain },
        Command { name: "CLIENT",      run: connection::client,       least: 2, most: MANY, kind: Plain },
        Command { name: "COMMAND",     run: about::command,           least: 1, most: MANY, kind: Plain },
        Command { name: "CONFIG",      run: about::config,            least: 2, most: MANY, kind: Plain },
        Command { name: "INFO",        run: about::info,              least: 1, most: MANY, kind: Plain },
    ]
};

fn find(name: &[u8]) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name.as_bytes().eq_ignore_ascii_case(name))
}

/// Runs a command, or keeps it for EXEC, and writes the answer.
pub fn run(world: &mut World, client: &mut Client, request: &Request) {
    if request.len() == 0 {
        return;
    }
    client.allow(world);
    let mut call = Call { world, client, request, within: false };
    let refused = match admit(&mut call) {
        Ok(command) if call.client.queued.is_some() && !matches!(command.kind, Kind::Immediate | Kind::Always) => {
            if let Some(queued) = &mut call.client.queued {
                queued.add(request);
            }
            return call.reply().simple("QUEUED");
        }
        Ok(command) => (command.run)(&mut call).err(),
        Err(_) if is(request.argument(0), "EXEC") => {
            call.client.queued = None;
            transactions::forget(&mut call);
            let mut reply = call.reply();
            return reply.error(format_args!("EXECABORT Transaction discarded: EXEC cannot be run like this"));
        }
        Err(refusal) => {
            if let Some(queued) = &mut call.client.queued {
                queued.spoilt = true;
            }
            Some(refusal)
        }
    };
    if let Some(refusal) = refused {
        refuse(&mut call, refusal);
    }
}

/// The command that is asked for, if it can be run at all.
fn admit(call: &mut Call) -> Result<&'static Command, Refusal> {
    let shown = |name: &[u8]| String::from_utf8_lossy(&name[..name.len().min(128)]).to_lowercase();
    let name = call.argument(0);
    let Some(command) = find(name) else {
        return Err(Refusal::Other(format!(
            "unknown command '{}': this is libparmap's small server, not a whole Redis",
            shown(name)
        )));
    };
    if call.request.len() < command.least || call.request.len() > command.most {
        return Err(Refusal::Other(format!("wrong number of arguments for '{}' command", shown(name))));
    }
    if !call.client.channels.is_empty() && !call.client.resp3 && !matches!(command.kind, Kind::Listening | Kind::Always)
    {
        return Err(Refusal::Other(format!(
            "Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
            shown(name)
        )));
    }
    check_store(call, command)?;
    Ok(command)
}

/// Whether the store has room for what the command adds.
fn check_store(call: &Call, command: &Command) -> Answered {
    let (bytes, _) = call.request.parts();
    let used = call.world.store.used().saturating_add(bytes.len());
    if command.kind == Kind::Adds && used > call.world.limits.data { Err(Refusal::Full) } else { Ok(()) }
}

fn refuse(call: &mut Call, refusal: Refusal) {
    let mut reply = call.reply();
    match refusal {
        Refusal::Syntax => reply.error(format_args!("ERR syntax error")),
        Refusal::WrongType => {
            reply.error(format_args!("WRONGTYPE Operation against a key holding the wrong kind of value"))
        }
        Refusal::NotAnInteger => reply.error(format_args!("ERR value is not an integer or out of range")),
        Refusal::OutOfRange(what) => reply.error(format_args!("ERR {what} is out of range")),
        Refusal::Full => reply.error(format_args!("OOM command not allowed when used memory > 'maxmemory'.")),
        Refusal::NoRoom => no_room(&mut reply),
        Refusal::Other(text) => reply.error(format_args!("ERR {text}")),
    }
}

fn no_room(reply: &mut Reply) {
    reply.error(format_args!("OOM no room for this answer: connections have asked for more than they read"));
}

fn integer(text: &[u8]) -> Result<i64, Refusal> {
    number(text).ok_or(Refusal::NotAnInteger)
}

fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}
