//! Bytes and behaviour that nobody means well with: neither do they end the server, nor make it hold what they like.

use super::*;
use std::hash::{BuildHasher, RandomState};

#[test]
fn a_message_in_pieces_is_read_as_it_comes() {
    let server = tight();
    let mut peer = Peer::of(&server);
    for byte in b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n*2\r\n$3\r\nget\r\n$1\r\nk\r\n" {
        peer.say([*byte]);
    }
    peer.hear("+OK\r\n$2\r\n\r\n\r\n");
}

#[test]
fn lengths_that_make_no_sense_are_answered_and_end_the_connection() {
    let server = tight();
    for (bytes, told) in [
        ("*99999999999999999999\r\n", "invalid multibulk length"),
        ("*1048577\r\n", "invalid multibulk length"),
        ("*\r\n", "invalid multibulk length"),
        ("*x\r\n", "invalid multibulk length"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$536870913\r\n", "invalid bulk length"),
        ("*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
        ("*1\r\n$\r\n", "invalid bulk length"),
        ("*1\r\n:1\r\n", "expected '$'"),
        ("*1\r\n\r\n", "expected '$'"),
        ("*1\r\n$4\r\nPINGPONG\r\n", "longer than announced"),
        (&"x".repeat(65 << 10), "too big a line"),
        (&format!("*1\r\n${}", "1".repeat(65 << 10)), "too big a line"),
    ] {
        let mut peer = Peer::of(&server);
        peer.insist(bytes.as_bytes());
        let rest = peer.rest();
        assert!(rest.starts_with("-ERR Protocol error: ") && rest.contains(told), "{bytes:.40}: {rest}");
    }
    let mut peer = Peer::of(&server);
    peer.ask("*0\r\n*-1\r\n\r\n   \r\nPING", "+PONG\r\n");
}

#[test]
fn numbers_at_the_ends_of_their_range_are_numbers() {
    let server = tight();
    let mut peer = Peer::of(&server);
    let (least, most) = (i64::MIN, i64::MAX);
    peer.ask("RPUSH list a b", ":2\r\n");
    peer.ask(&format!("LRANGE list {most} {least}"), "*0\r\n");
    peer.ask(&format!("LRANGE list {least} {most}"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    peer.ask(&format!("SET key {least}"), "+OK\r\n");
    peer.ask("DECR key", "-ERR increment or decrement would overflow\r\n");
    peer.ask(&format!("DECRBY key {least}"), "-ERR decrement is out of range\r\n");
    peer.ask(&format!("EXPIRE key {most}"), "-ERR invalid expire time in 'expire' command\r\n");
    peer.ask(&format!("EXPIRE key {least}"), "-ERR invalid expire time in 'expire' command\r\n");
    peer.ask(&format!("SET key x PX {}", most - (1 << 40)), "+OK\r\n");
    peer.ask("TTL key", ":92233");
}

#[test]
fn a_transaction_of_messages_to_many_is_held_once() {
    let server = tight();
    let mut listeners: Vec<Peer> = (0..30).map(|_| Peer::of(&server)).collect();
    for listener in &mut listeners {
        listener.ask("SUBSCRIBE news", "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    }
    let (mut peer, mut publisher) = (Peer::of(&server), Peer::of(&server));
    publisher.insist(b"MULTI\r\n");
    publisher.insist(&command(&[b"PUBLISH", b"news", &[b'x'; 10_000]]).repeat(300));
    publisher.insist(b"EXEC\r\n");
    peer.ask("PING", "+PONG\r\n");
    assert!(used(&mut peer) < 32 * MIB, "{}", used(&mut peer));
}

#[test]
fn what_is_announced_and_never_sent_costs_nothing() {
    let server = tight();
    let mut peer = Peer::of(&server);
    let mut liars: Vec<Peer> = (0..40).map(|_| Peer::of(&server)).collect();
    for liar in &mut liars {
        liar.say("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nhalf");
        liar.say("");
    }
    peer.ask("PING", "+PONG\r\n");
    assert!(used(&mut peer) < 4 * MIB, "{}", used(&mut peer));
}

#[test]
fn more_connections_than_allowed_are_told_so_and_the_others_are_served() {
    let server = tight();
    let mut first = Peer::of(&server);
    first.ask("PING", "+PONG\r\n");
    let mut many: Vec<Peer> = (0..500).map(|_| Peer::of(&server)).collect();
    assert!(many.pop().unwrap().rest().contains("max number of clients reached"));
    first.ask("PING", "+PONG\r\n");
    drop(many);
    // The places are free again once the server has seen them go.
    for _ in 0..10_000 {
        let mut peer = Peer::of(&server);
        peer.insist(b"PING\r\nQUIT\r\n");
        if peer.rest().starts_with("+PONG") {
            return;
        }
    }
    panic!("nobody is let in any more");
}

#[test]
fn thousands_of_connections_are_served_or_told_that_there_are_too_many() {
    // Both ends are files of this process, which has others, too.
    let most = open_files(10_000) / 6;
    let server = Server::limited(Limits { clients: most, ..TIGHT }).unwrap();
    let mut served = Vec::from_iter((0..most).map(|_| Peer::of(&server)));
    for peer in &mut served {
        peer.ask("PING", "+PONG\r\n");
    }
    for mut peer in Vec::from_iter((0..most).map(|_| Peer::of(&server))) {
        assert!(peer.rest().contains("max number of clients reached"));
    }
    served.pop().unwrap().ask("PING", "+PONG\r\n");
    assert!(used(&mut served[0]) < MIB);
}

/// Allows this process as many, if that is in its power, and answers how many it may have.
fn open_files(wanted: libc::rlim_t) -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a struct of its own.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_cur.max(wanted).min(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
    limit.rlim_cur.min(wanted) as usize
}

#[test]
fn whoever_asks_and_does_not_read_is_not_listened_to_and_loses_nothing() {
    let server = tight();
    let (mut greedy, mut peer) = (Peer::of(&server), Peer::of(&server));
    let large = "x".repeat(MIB / 4);
    peer.say(command(&[b"SET", b"large", large.as_bytes()]));
    peer.hear("+OK\r\n");
    let asked = 400;
    let mut says = Peer(greedy.0.try_clone().unwrap());
    let talker = std::thread::spawn(move || says.say("GET large\r\n".repeat(asked)));
    std::thread::sleep(Duration::from_millis(200));
    assert!(used(&mut peer) < 4 * MIB, "{}", used(&mut peer));
    for _ in 0..asked {
        greedy.hear(&format!("${}\r\n{large}\r\n", large.len()));
    }
    talker.join().unwrap();
    greedy.ask("PING", "+PONG\r\n");
}

#[test]
fn a_full_store_refuses_more_and_takes_it_when_there_is_room() {
    let server = tight();
    let mut peer = Peer::of(&server);
    let value = vec![b'x'; MIB];
    for i in 0..7 {
        peer.say(command(&[b"SET", format!("key{i}").as_bytes(), &value]));
        peer.hear("+OK\r\n");
    }
    peer.say(command(&[b"RPUSH", b"list", &value]));
    peer.hear("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    peer.ask("DEL key1 key2", ":2\r\n");
    peer.say(command(&[b"RPUSH", b"list", &value]));
    peer.hear(":1\r\n");
    peer.ask("FLUSHDB", "+OK\r\n");
    for i in 0..200_000 {
        peer.say(format!("INCR counter{i}\r\nRPUSH queue{i} x\r\nEXPIRE queue{i} 1000\r\n"));
        if i % 100 == 99 {
            let mut got = [0; 1 << 16];
            let len = peer.0.read(&mut got).unwrap();
            if got[..len].windows(4).any(|part| part == b"-OOM") {
                return;
            }
        }
    }
    panic!("small keys are not counted");
}

#[test]
fn a_command_that_never_ends_is_cut_off_and_others_are_not() {
    let server = tight();
    let (mut endless, mut peer) = (Peer::of(&server), Peer::of(&server));
    endless.insist(&command(&[b"SET", b"key", &vec![0; 40 * MIB]]));
    endless.rest();
    let mut many = Peer::of(&server);
    many.insist(format!("*1048576\r\n{}", "$0\r\n\r\n".repeat(1_000_000)).as_bytes());
    peer.ask("PING", "+PONG\r\n");
    drop(many);
    let mut queue = Peer::of(&server);
    queue.insist(format!("MULTI\r\n{}", "PING\r\n".repeat(1_000_000)).as_bytes());
    peer.ask("GET key", "$-1\r\n");
    assert!(used(&mut peer) < 20 * MIB, "{}", used(&mut peer));
}

#[test]
fn an_answer_larger_than_all_buffers_ends_the_connection() {
    let server = tight();
    let mut peer = Peer::of(&server);
    peer.say(command(&[b"SET", b"large", &vec![0; MIB]]));
    peer.hear("+OK\r\n");
    let mut greedy = Peer::of(&server);
    greedy.insist(format!("MGET {}\r\n", "large ".repeat(1000)).as_bytes());
    drop(greedy);
    let mut greedy = Peer::of(&server);
    greedy.insist(format!("MULTI\r\n{}EXEC\r\n", "GET large\r\n".repeat(1000)).as_bytes());
    peer.ask("PING", "+PONG\r\n");
    assert!(used(&mut peer) < 32 * MIB, "{}", used(&mut peer));
}

#[test]
fn a_transaction_cannot_overfill_the_store() {
    let server = tight();
    let mut peer = Peer::of(&server);
    peer.ask("MULTI", "+OK\r\n");
    // Each takes seven times as much there as it did on its way.
    let elements = vec![&b"x"[..]; 20_000];
    for i in 0..10 {
        peer.say(command(&[&[&b"RPUSH"[..], format!("queue{i}").as_bytes()], &elements[..]].concat()));
        peer.hear("+QUEUED\r\n");
    }
    let full = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    peer.ask("EXEC", &format!("*10\r\n{}{full}", ":20000\r\n".repeat(9)));
    peer.ask("DBSIZE", ":9\r\n");
}

#[test]
fn an_element_that_cannot_be_told_is_not_taken() {
    let server = tight();
    let mut peer = Peer::of(&server);
    let element = vec![b'x'; 3 * MIB / 2];
    peer.say(command(&[b"RPUSH", b"queue", &element]));
    peer.hear(":1\r\n");
    let unfinished = format!("*2\r\n$1000000\r\n{}", "x".repeat(450_000));
    let hogs = Vec::from_iter((0..45).map(|_| {
        let mut hog = Peer::of(&server);
        hog.insist(unfinished.as_bytes());
        peer.ask("PING", "+PONG\r\n");
        hog
    }));
    let no_room = "-OOM no room for this answer: connections have asked for more than they read\r\n";
    for pop in ["LPOP queue", "RPOP queue 2", "BLPOP queue 0", "BRPOP none queue 0"] {
        peer.ask(pop, no_room);
    }
    drop(hogs);
    peer.ask("PING", "+PONG\r\n");
    peer.say("LPOP queue\r\n");
    peer.hear(&format!("${}\r\n{}\r\n", element.len(), "x".repeat(element.len())));
}

#[test]
fn a_subscriber_that_does_not_read_is_cut_off() {
    let server = tight();
    let (mut deaf, mut peer) = (Peer::of(&server), Peer::of(&server));
    deaf.ask("SUBSCRIBE news", "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    let news = command(&[b"PUBLISH", b"news", &vec![b'x'; 100_000]]);
    for _ in 0..100 {
        peer.say(&news);
        let mut answer = [0; 4];
        peer.0.read_exact(&mut answer).unwrap();
        if &answer == b":0\r\n" {
            return;
        }
        assert_eq!(&answer, b":1\r\n");
    }
    panic!("ten megabytes of unread messages were kept");
}

#[test]
fn names_are_limited() {
    let server = tight();
    let mut peer = Peer::of(&server);
    let names = |from: usize| (from..from + 60).map(|i| format!(" name{i}")).collect::<String>();
    peer.ask(&format!("WATCH{}", names(0)), "+OK\r\n");
    peer.ask(&format!("WATCH{}", names(60)), "-ERR too many watched keys\r\n");
    peer.ask("UNWATCH", "+OK\r\n");
    peer.say(format!("SUBSCRIBE{}\r\nSUBSCRIBE{}\r\n", names(0), names(60)));
    peer.say("QUIT\r\n");
    assert!(peer.rest().contains("-ERR too many subscriptions"));
}

/// Numbers that differ from run to run; the seed is told when a test fails.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let seed = RandomState::new().hash_one(0) | 1;
        println!("seed {seed}");
        Random(seed)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

#[test]
fn random_bytes_and_damaged_commands_neither_end_nor_block_the_server() {
    let server = tight();
    let mut random = Random::new();
    let mut peer = Peer::of(&server);
    let words: &[&[u8]] = &[
        b"GET",
        b"SET",
        b"INCRBY",
        b"RPUSH",
        b"LPOP",
        b"BLPOP",
        b"BRPOP",
        b"LRANGE",
        b"DEL",
        b"EXPIRE",
        b"PEXPIRE",
        b"TTL",
        b"KEYS",
        b"MGET",
        b"SETEX",
        b"MULTI",
        b"EXEC",
        b"DISCARD",
        b"WATCH",
        b"PUBLISH",
        b"SUBSCRIBE",
        b"UNSUBSCRIBE",
        b"HELLO",
        b"AUTH",
        b"SELECT",
        b"CLIENT",
        b"COMMAND",
        b"CONFIG",
        b"INFO",
        b"RESET",
        b"FLUSHDB",
        b"a",
        b"b",
        b"c",
        b"0",
        b"1",
        b"-1",
        b"3",
        b"9223372036854775807",
        b"-9223372036854775808",
        b"0.001",
        b"NX",
        b"PX",
        b"EX",
        b"GET",
        b"KEEPTTL",
        b"SETNAME",
        b"DOCS",
        b"*",
        b"[*?\\",
        b"",
        b"\r\n",
        b"\xff\x00",
        b"inf",
        b"nan",
        b"1e308",
        b"-0",
    ];
    for round in 0..3000 {
        let mut bytes = Vec::new();
        for _ in 0..1 + random.below(12) {
            if random.below(8) == 0 {
                bytes.extend((0..random.below(200)).map(|_| random.below(256) as u8));
            } else {
                let chosen: Vec<&[u8]> = (0..random.below(6)).map(|_| words[random.below(words.len())]).collect();
                bytes.extend(command(&chosen));
            }
            if random.below(3) == 0 && !bytes.is_empty() {
                let at = random.below(bytes.len());
                match random.below(3) {
                    0 => bytes[at] = random.below(256) as u8,
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, b"$*\r\n0129-"[random.below(9)]),
                }
            }
        }
        let mut stranger = Peer::of(&server);
        stranger.insist(&bytes);
        if random.below(2) == 0 {
            let _ = stranger.0.shutdown(std::net::Shutdown::Write);
            let _ = stranger.0.set_read_timeout(Some(Duration::from_millis(1)));
            let _ = stranger.0.read(&mut [0; 4096]);
        }
        if round % 50 == 0 {
            peer.ask("PING", "+PONG\r\n");
        }
    }
    peer.ask("PING", "+PONG\r\n");
    assert!(used(&mut peer) < 24 * MIB);
}
