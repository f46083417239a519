//! Whether those that a rank waits for can still do what it waits for.
//!
//! MPI lets a rank wait for ever for one whose program has ended, or that waits in another call. So a rank that has waited
//! for a second asks those it waits for what they do; whoever waits, too, or has come to its end, answers. What two answers
//! in a row, a second apart, say of one and the same wait is so for good, and the wait ends with a sentence. A rank that
//! computes answers nothing, and is waited for.
//!
//! In what all ranks do together, rank 0 asks all and the others ask rank 0 alone, so that a thousand ranks do not ask a
//! million questions.

use super::api::{Answer, Lane, Lanes, Request};
use super::pause;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What a rank is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Something of all ranks; which, by its place in `TOGETHER`.
    Together(u64),
    /// From whom; None: anyone.
    Receiving(Option<i32>),
    Sending(i32),
    /// The end of the program, or of MPI.
    Leaving,
}

pub const BARRIER: Doing = Doing::Together(0);
pub const BROADCAST: Doing = Doing::Together(1);
pub const SCATTER: Doing = Doing::Together(2);
pub const GATHER: Doing = Doing::Together(3);
pub const REDUCE: Doing = Doing::Together(4);
pub const CALL: Doing = Doing::Together(5);

const TOGETHER: [&str; 6] = [
    "par_mpi_barrier",
    "par_mpi_broadcast",
    "par_mpi_scatter",
    "par_mpi_gather",
    "par_mpi_reduce",
    "a call with executor PAR_MPI",
];

/// Questions and answers come on our own lane.
const QUESTION: i32 = 5;
const ANSWER: i32 = 6;

/// What this rank does, as others may ask.
#[derive(Debug)]
pub struct Presence {
    doing: Cell<Doing>,
    /// How many things of all ranks it has come to.
    steps: Cell<u64>,
    waits: Cell<u64>,
    /// What it told others and MPI still sends, which may take until the other looks, if they have never spoken before.
    outbox: RefCell<Vec<(Request, Vec<u64>)>>,
}

impl Presence {
    pub fn new() -> Presence {
        let (steps, waits, outbox) = (Cell::new(0), Cell::new(0), RefCell::default());
        Presence { doing: Cell::new(Doing::Leaving), steps, waits, outbox }
    }

    pub fn begin(&self, doing: Doing) {
        self.doing.set(doing);
        if matches!(doing, Doing::Together(_) | Doing::Leaving) {
            self.steps.set(self.steps.get() + 1);
        }
    }

    pub fn is_receiving(&self) -> bool {
        matches!(self.doing.get(), Doing::Receiving(_))
    }

    fn tell(&self, lanes: &dyn Lanes, words: &[u64; WORDS], to: i32, tag: i32) -> Answer<()> {
        let words = words.to_vec();
        // SAFETY: the words stay in the outbox until the request is done.
        let request = unsafe { lanes.send(Lane::Own, words.as_ptr().cast(), size_of_val(&words[..]), to, tag) }?;
        self.outbox.borrow_mut().push((request, words));
        Ok(())
    }

    /// Whether all that it told others is sent.
    pub fn has_told_all(&self, lanes: &dyn Lanes) -> Answer<bool> {
        let mut outbox = self.outbox.borrow_mut();
        let mut at = 0;
        while let Some((request, _)) = outbox.get_mut(at) {
            if lanes.test(request)? {
                outbox.swap_remove(at);
            } else {
                at += 1;
            }
        }
        Ok(outbox.is_empty())
    }

    fn state(&self) -> State {
        let doing = self.doing.get();
        let may_be_ended = matches!(doing, Doing::Receiving(_)) && pause::is_set();
        State { doing, steps: self.steps.get(), wait: self.waits.get(), may_be_ended }
    }
}

/// What a rank does at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    doing: Doing,
    steps: u64,
    /// The number of its wait: the same number twice is the same wait.
    wait: u64,
    /// The host may end this wait.
    may_be_ended: bool,
}

const WORDS: usize = 6;

impl State {
    fn to_words(self) -> [u64; WORDS] {
        let (kind, whom) = match self.doing {
            Doing::Together(which) => (0, which as i64),
            Doing::Receiving(from) => (1, i64::from(from.unwrap_or(-1))),
            Doing::Sending(to) => (2, i64::from(to)),
            Doing::Leaving => (3, 0),
        };
        [kind, whom as u64, self.steps, self.wait, u64::from(self.may_be_ended), 0]
    }

    fn from_words(words: [u64; WORDS]) -> State {
        let whom = words[1] as i64 as i32;
        let doing = match words[0] {
            0 => Doing::Together(words[1]),
            1 => Doing::Receiving((whom >= 0).then_some(whom)),
            2 => Doing::Sending(whom),
            _ => Doing::Leaving,
        };
        State { doing, steps: words[2], wait: words[3], may_be_ended: words[4] != 0 }
    }

    /// Why `rank`, being in the state `other`, can never do what this rank, `me`, waits for. None: it may.
    fn obstacle(&self, me: i32, rank: i32, other: &State) -> Option<String> {
        let ended = Some(format!("rank {rank} has come to its end"));
        match (self.doing, other.doing) {
            (Doing::Together(here), Doing::Together(there)) if self.steps == other.steps && here != there => {
                Some(format!("rank {rank} is in {}", together(there)))
            }
            (Doing::Together(_), Doing::Leaving) if self.steps >= other.steps => ended,
            (Doing::Receiving(_) | Doing::Sending(_), Doing::Leaving) => ended,
            _ if self.may_be_ended || other.may_be_ended => None,
            (Doing::Receiving(_) | Doing::Sending(_), Doing::Together(there)) if other.steps > self.steps => {
                Some(format!("rank {rank} waits for this one in {}", together(there)))
            }
            // Having come to this step, it has done its part: the step waits for somebody else.
            (Doing::Together(_), Doing::Receiving(_)) if other.steps >= self.steps => None,
            (Doing::Together(_) | Doing::Receiving(_), Doing::Receiving(Some(from))) if from == me => {
                Some(format!("rank {rank} waits for a message from this one"))
            }
            (Doing::Sending(_), Doing::Sending(to)) if to == me => Some(format!(
                "rank {rank} sends to this one, too, and both messages are too long to go before they are received"
            )),
            _ => None,
        }
    }
}

fn together(which: u64) -> &'static str {
    TOGETHER.get(which as usize).copied().unwrap_or("another call")
}

/// One long wait.
pub struct Inquiry {
    started: Instant,
    next_question: Duration,
    questions: u64,
    next_look: Duration,
    /// Of each rank: the question it answered last, what it said, and what stood in the way twice.
    heard: BTreeMap<i32, (u64, State, Option<String>)>,
}

/// So long a wait is nothing special.
const FIRST_QUESTION: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Looking for questions and answers costs a little.
const LOOKS: Duration = Duration::from_millis(10);

impl Inquiry {
    pub fn new(presence: &Presence) -> Inquiry {
        presence.waits.set(presence.waits.get() + 1);
        Inquiry {
            started: Instant::now(),
            next_question: FIRST_QUESTION,
            questions: 0,
            next_look: 10 * LOOKS,
            heard: BTreeMap::new(),
        }
    }

    /// Call it now and then. Some: why the wait is in vain.
    pub fn look(&mut self, presence: &Presence, lanes: &dyn Lanes, rank: i32, size: i32) -> Answer<Option<String>> {
        let waited = self.started.elapsed();
        if waited < self.next_look {
            return Ok(None);
        }
        self.next_look = waited + LOOKS;
        let own = presence.state();
        while let Some((from, words)) = take(lanes, QUESTION)? {
            let mut answer = own.to_words();
            answer[WORDS - 1] = words[0];
            presence.tell(lanes, &answer, from, ANSWER)?;
        }
        let whom = whom(own.doing, rank, size);
        while let Some((from, words)) = take(lanes, ANSWER)? {
            self.hear(own, rank, from, words);
        }
        if waited >= self.next_question && !whom.is_empty() {
            self.next_question = waited + waited.clamp(FIRST_QUESTION, LONGEST_PAUSE);
            self.questions += 1;
            for &whom in &whom {
                presence.tell(lanes, &[own.wait << 16 | self.questions; WORDS], whom, QUESTION)?;
            }
        }
        presence.has_told_all(lanes)?;
        Ok(self.verdict(own.doing, &whom))
    }

    fn hear(&mut self, own: State, rank: i32, from: i32, words: [u64; WORDS]) {
        let (wait, question) = (words[WORDS - 1] >> 16, words[WORDS - 1] & 0xffff);
        if wait != own.wait {
            return;
        }
        let state = State::from_words(words);
        let before = self.heard.get(&from);
        let confirmed = before.is_some_and(|(earlier, said, _)| *earlier < question && *said == state);
        let obstacle = own.obstacle(rank, from, &state).filter(|_| confirmed);
        self.heard.insert(from, (question, state, obstacle));
    }

    /// One that cannot is enough, unless anyone's message would do.
    fn verdict(&self, doing: Doing, whom: &[i32]) -> Option<String> {
        let mut obstacles = whom.iter().map(|rank| self.heard.get(rank)?.2.as_ref());
        match doing {
            Doing::Receiving(None) => {
                let all = obstacles.collect::<Option<Vec<_>>>()?;
                let told: Vec<&str> = all.iter().take(3).map(|text| text.as_str()).collect();
                (!told.is_empty()).then(|| told.join(", ") + if all.len() > 3 { ", and so on" } else { "" })
            }
            _ => obstacles.find_map(|obstacle| obstacle.cloned()),
        }
    }
}

/// Whom to ask.
fn whom(doing: Doing, rank: i32, size: i32) -> Vec<i32> {
    match doing {
        Doing::Receiving(Some(other)) | Doing::Sending(other) => vec![other],
        Doing::Together(_) if rank != 0 => vec![0],
        Doing::Together(_) | Doing::Receiving(None) => (0..size).filter(|&other| other != rank).collect(),
        Doing::Leaving => Vec::new(),
    }
}

fn take(lanes: &dyn Lanes, tag: i32) -> Answer<Option<(i32, [u64; WORDS])>> {
    let Some(envelope) = lanes.probe(Lane::Own, None, Some(tag))? else { return Ok(None) };
    let mut words = [0u64; WORDS];
    debug_assert!(envelope.len <= size_of_val(&words));
    // SAFETY: only `tell` sends with this tag, so there is room; the words stay until the request is done.
    let mut request = unsafe { lanes.receive(&envelope, words.as_mut_ptr().cast()) }?;
    while !lanes.test(&mut request)? {
        std::thread::yield_now();
    }
    Ok(Some((envelope.source, words)))
}

#[cfg(test)]
mod tests {
    use super::{BARRIER, BROADCAST, CALL, Doing, State};

    fn state(doing: Doing, steps: u64) -> State {
        State { doing, steps, wait: 1, may_be_ended: false }
    }

    #[test]
    fn a_state_survives_the_journey() {
        for doing in
            [BARRIER, CALL, Doing::Receiving(None), Doing::Receiving(Some(3)), Doing::Sending(2), Doing::Leaving]
        {
            let state = State { doing, steps: 5, wait: 6, may_be_ended: true };
            assert_eq!(State::from_words(state.to_words()), state);
        }
    }

    #[test]
    fn waiting_for_one_that_may_still_come_is_fine() {
        let fine = [
            (state(BARRIER, 5), state(BARRIER, 5)),
            (state(BARRIER, 5), state(BARRIER, 4)),
            (state(BARRIER, 5), state(Doing::Receiving(Some(2)), 4)),
            (state(BARRIER, 5), state(Doing::Receiving(None), 4)),
            // Its last step is after this one: it has done its part.
            (state(BARRIER, 5), state(Doing::Leaving, 6)),
            (state(BROADCAST, 5), state(Doing::Receiving(Some(0)), 5)),
            (state(BROADCAST, 5), state(Doing::Receiving(Some(0)), 6)),
            (state(Doing::Receiving(Some(1)), 5), state(BARRIER, 5)),
            (State { may_be_ended: true, ..state(Doing::Receiving(None), 5) }, state(Doing::Receiving(Some(0)), 5)),
        ];
        for (here, there) in fine {
            assert_eq!(here.obstacle(0, 1, &there), None, "{here:?} {there:?}");
        }
    }

    #[test]
    fn waiting_in_vain_is_known() {
        let vain = [
            (state(BARRIER, 5), state(CALL, 5), "rank 1 is in a call with executor PAR_MPI"),
            (state(CALL, 5), state(Doing::Leaving, 5), "rank 1 has come to its end"),
            (state(Doing::Receiving(None), 5), state(Doing::Leaving, 6), "rank 1 has come to its end"),
            (state(Doing::Receiving(Some(1)), 5), state(BARRIER, 6), "rank 1 waits for this one in par_mpi_barrier"),
            (state(CALL, 5), state(Doing::Receiving(Some(0)), 4), "rank 1 waits for a message from this one"),
        ];
        for (here, there, why) in vain {
            assert_eq!(here.obstacle(0, 1, &there).as_deref(), Some(why));
        }
    }
}
