//! Ranks in virtual time: they ask for ranges by messages, and whoever answers serves one message after the other.

use super::costs::Costs;
use super::schedule::NANO;
use super::share::{self, Request};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;

pub struct Cluster {
    /// Rank 0 hands out as the library does; otherwise a quarter of a fair share, and no less than `shortest_ns`.
    pub as_the_library: bool,
    pub ranks: usize,
    /// Ranks that ask one leader, who asks rank 0; as many as `ranks`: all ask rank 0.
    pub group: usize,
    /// What rank 0, or a leader, spends on a request and its answer.
    pub serve_ns: u64,
    /// From one rank to another.
    pub latency_ns: u64,
    /// No hand-out is shorter, the cost of an item being known from those before.
    pub shortest_ns: u64,
}

#[derive(Debug)]
pub struct Outcome {
    pub wall_ns: u64,
    pub work_ns: u64,
    /// Requests that rank 0 answered, and the time it spent on them.
    pub requests: u64,
    pub serving_ns: u64,
    pub ranks: usize,
}

impl Outcome {
    pub fn efficiency(&self) -> f64 {
        self.work_ns as f64 / (self.ranks as f64 * self.wall_ns as f64)
    }

    pub fn requests_per_second(&self) -> f64 {
        self.requests as f64 / (self.wall_ns as f64 / 1e9)
    }

    /// The share of its time that rank 0 serves.
    pub fn load(&self) -> f64 {
        self.serving_ns as f64 / self.wall_ns as f64
    }
}

/// Hand-outs that would be left for each rank if they did not shrink.
const SHARE: usize = 4;

/// One who answers requests: rank 0, or the leader of a group.
struct Server {
    /// What is left to hand out; a leader's refills need not be neighbours.
    stock: VecDeque<Range<usize>>,
    left: usize,
    /// Behind it, those of its leaders included.
    ranks: usize,
    free_at: u64,
    serving_ns: u64,
    requests: u64,
}

impl Server {
    fn new(ranks: usize) -> Server {
        Server { stock: VecDeque::new(), left: 0, ranks, free_at: 0, serving_ns: 0, requests: 0 }
    }

    fn add(&mut self, items: Range<usize>) {
        self.left += items.len();
        self.stock.push_back(items);
    }

    /// When a message that comes at `now` has been dealt with.
    fn serve(&mut self, now: u64, serve_ns: u64) -> u64 {
        self.free_at = self.free_at.max(now) + serve_ns;
        self.serving_ns += serve_ns;
        self.free_at
    }

    /// For so many of the ranks behind this server: a quarter of their fair share.
    fn take(&mut self, ranks: usize, least: usize) -> Option<Range<usize>> {
        self.take_units((self.left * ranks / (SHARE * self.ranks)).max(least * ranks))
    }

    fn take_units(&mut self, units: usize) -> Option<Range<usize>> {
        while self.stock.front()?.is_empty() {
            self.stock.pop_front();
        }
        let first = self.stock.front_mut()?;
        let count = units.min(first.len());
        let items = first.start..first.start + count;
        first.start = items.end;
        self.left -= count;
        Some(items)
    }
}

/// What arrives, in the order in which it does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Message {
    /// A rank asks its leader, or rank 0 where there are no leaders.
    Ask { rank: usize },
    /// A leader asks rank 0.
    AskFor { group: usize },
    /// Rank 0 answers a leader; an empty range is the end.
    Refill { group: usize, begin: usize, end: usize },
}

/// The leader's side of its talk with rank 0.
struct Leader {
    server: Server,
    waiting: VecDeque<usize>,
    has_asked: bool,
    at_end: bool,
    refill: usize,
}

struct Run<'a> {
    cluster: &'a Cluster,
    costs: &'a Costs,
    least: usize,
    /// How many items each rank had the last time.
    last: Vec<usize>,
    root: Server,
    leaders: Vec<Leader>,
    coming: BinaryHeap<Reverse<(u64, Message)>>,
    wall_ns: u64,
}

impl Cluster {
    pub fn run(&self, costs: &Costs) -> Outcome {
        let groups = self.ranks.div_ceil(self.group);
        let flat = groups == 1;
        let mut run = Run {
            cluster: self,
            costs,
            least: (self.shortest_ns / costs.mean_ns()).max(1) as usize,
            last: vec![0; self.ranks],
            root: Server::new(self.ranks),
            leaders: (0..if flat { 0 } else { groups })
                .map(|group| Leader {
                    server: Server::new(self.group.min(self.ranks - group * self.group)),
                    waiting: VecDeque::new(),
                    has_asked: false,
                    at_end: false,
                    refill: 0,
                })
                .collect(),
            coming: (0..self.ranks).map(|rank| Reverse((self.latency_ns, Message::Ask { rank }))).collect(),
            wall_ns: 0,
        };
        run.root.add(0..costs.count());
        while let Some(Reverse((now, message))) = run.coming.pop() {
            match message {
                Message::Ask { rank } if flat => run.answer_from_root(now, rank),
                Message::Ask { rank } => run.answer_from_leader(now, rank),
                Message::AskFor { group } => run.refill(now, group),
                Message::Refill { group, begin, end } => run.restock(now, group, begin..end),
            }
        }
        let Server { requests, serving_ns, .. } = run.root;
        Outcome { wall_ns: run.wall_ns, work_ns: costs.total_ns(), requests, serving_ns, ranks: self.ranks }
    }
}

impl Run<'_> {
    fn send(&mut self, at: u64, message: Message) {
        self.coming.push(Reverse((at + self.cluster.latency_ns, message)));
    }

    /// The rank gets these items, runs them, and asks again with its results.
    fn hand_out(&mut self, at: u64, rank: usize, items: Option<Range<usize>>) {
        let arrives = at + self.cluster.latency_ns;
        match items {
            Some(items) => self.send(arrives + self.costs.of(&items), Message::Ask { rank }),
            None => self.wall_ns = self.wall_ns.max(arrives),
        }
    }

    fn answer_from_root(&mut self, now: u64, rank: usize) {
        let done = self.root.serve(now, self.cluster.serve_ns);
        self.root.requests += 1;
        let items = match self.cluster.as_the_library {
            true => self.root.take_units(self.library_share(rank)),
            false => self.root.take(1, self.least),
        };
        self.last[rank] = items.as_ref().map_or(0, ExactSizeIterator::len);
        self.hand_out(done, rank, items);
    }

    fn library_share(&self, rank: usize) -> usize {
        let (ranks, last) = (self.cluster.ranks, self.last[rank]);
        let cost = (last > 0).then(|| self.costs.mean_ns() * NANO);
        let (left, grain, unit_bytes) = (self.root.left, 1, 16);
        share::for_a_rank(&Request { left, workers: 1, all_workers: ranks, ranks, last, cost, grain, unit_bytes })
    }

    fn refill(&mut self, now: u64, group: usize) {
        let done = self.root.serve(now, self.cluster.serve_ns);
        self.root.requests += 1;
        let items = self.root.take(self.leaders[group].server.ranks, self.least).unwrap_or(0..0);
        self.send(done, Message::Refill { group, begin: items.start, end: items.end });
    }

    fn answer_from_leader(&mut self, now: u64, rank: usize) {
        let group = rank / self.cluster.group;
        let leader = &mut self.leaders[group];
        let done = leader.server.serve(now, self.cluster.serve_ns);
        match leader.server.take(1, self.least) {
            None if !leader.at_end => leader.waiting.push_back(rank),
            items => self.hand_out(done, rank, items),
        }
        self.ask_for_more(done, group);
    }

    /// A leader asks while it still has half of what it got, so that its members need not wait for the answer.
    fn ask_for_more(&mut self, now: u64, group: usize) {
        let leader = &mut self.leaders[group];
        if !leader.has_asked && !leader.at_end && leader.server.left <= leader.refill / 2 {
            leader.has_asked = true;
            self.send(now, Message::AskFor { group });
        }
    }

    fn restock(&mut self, now: u64, group: usize, items: Range<usize>) {
        let leader = &mut self.leaders[group];
        leader.has_asked = false;
        leader.at_end = items.is_empty();
        leader.refill = items.len();
        leader.server.add(items);
        let mut done = leader.server.serve(now, self.cluster.serve_ns);
        while let Some(rank) = self.leaders[group].waiting.pop_front() {
            let leader = &mut self.leaders[group];
            let items = leader.server.take(1, self.least);
            if items.is_none() && !leader.at_end {
                leader.waiting.push_front(rank);
                break; // the refill was shorter than the queue
            }
            done = leader.server.serve(done, self.cluster.serve_ns);
            self.hand_out(done, rank, items);
        }
        self.ask_for_more(done, group);
    }
}
