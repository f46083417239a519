//! Those who wait for elements.

use super::*;

#[test]
fn whoever_has_waited_longest_is_served_first() {
    let server = tight();
    let mut waiting: Vec<Peer> = (0..5).map(|_| Peer::of(&server)).collect();
    let mut watcher = Peer::of(&server);
    for peer in &mut waiting {
        peer.say("BLPOP queue 0\r\n");
        // Until it waits, so that the order is known.
        watcher.ask("PING", "+PONG\r\n");
        std::thread::sleep(Duration::from_millis(5));
    }
    watcher.ask("RPUSH queue 0 1 2 3 4", ":5\r\n");
    for (i, peer) in waiting.iter_mut().enumerate() {
        peer.hear(&format!("*2\r\n$5\r\nqueue\r\n$1\r\n{i}\r\n"));
    }
    watcher.ask("EXISTS queue", ":0\r\n");
}

#[test]
fn whoever_died_waiting_takes_no_element_along() {
    let server = tight();
    let mut peer = Peer::of(&server);
    for round in 0..100 {
        let mut dead = Peer::of(&server);
        dead.say("BLPOP queue 0\r\n");
        if round % 2 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(dead);
        peer.ask("RPUSH queue x", ":1\r\n");
        peer.ask("LPOP queue", "$1\r\nx\r\n");
    }
}

#[test]
fn what_is_said_while_waiting_is_answered_afterwards() {
    let server = tight();
    let (mut waiting, mut peer) = (Peer::of(&server), Peer::of(&server));
    waiting.say("BLPOP queue 0\r\nPING\r\n");
    std::thread::sleep(Duration::from_millis(20));
    waiting.say("BLPOP queue 0.05\r\n");
    peer.ask("RPUSH queue x", ":1\r\n");
    waiting.hear("*2\r\n$5\r\nqueue\r\n$1\r\nx\r\n+PONG\r\n*-1\r\n");
    waiting.ask("PING", "+PONG\r\n");
}

#[test]
fn a_transaction_waits_for_nothing_and_feeds_those_who_wait() {
    let server = tight();
    let (mut waiting, mut peer) = (Peer::of(&server), Peer::of(&server));
    peer.say("MULTI\r\nBLPOP none 0\r\nRPUSH queue x\r\nLLEN queue\r\nEXEC\r\n");
    peer.hear("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n*-1\r\n:1\r\n:1\r\n");
    waiting.ask("BLPOP none queue 0", "*2\r\n$5\r\nqueue\r\n$1\r\nx\r\n");
    waiting.say("BLPOP none queue 0\r\n");
    std::thread::sleep(Duration::from_millis(5));
    peer.say("MULTI\r\nRPUSH queue y\r\nDEL queue\r\nRPUSH queue z\r\nEXEC\r\n");
    waiting.hear("*2\r\n$5\r\nqueue\r\n$1\r\nz\r\n");
}

#[test]
fn a_text_in_the_place_of_the_list_wakes_nobody() {
    let server = tight();
    let (mut waiting, mut peer) = (Peer::of(&server), Peer::of(&server));
    waiting.say("BLPOP queue 0\r\n");
    std::thread::sleep(Duration::from_millis(5));
    peer.ask("SET queue text", "+OK\r\n");
    peer.say("MULTI\r\nDEL queue\r\nRPUSH queue x\r\nDEL queue\r\nSET queue text\r\nEXEC\r\nDEL queue\r\n");
    peer.hear("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*4\r\n:1\r\n:1\r\n:1\r\n+OK\r\n:1\r\n");
    peer.ask("LPUSH queue y", ":1\r\n");
    waiting.hear("*2\r\n$5\r\nqueue\r\n$1\r\ny\r\n");
}
