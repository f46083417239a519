//! What every rank must agree on before anything runs.

use super::function;
use super::wire::{Reader, Writer};
use crate::job::{Job, Work};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signature {
    version: String,
    call: String,
    /// Why this rank cannot make the call; empty if it can.
    pub refusal: String,
    numbers: [u64; NUMBERS.len()],
    functions: [String; 2],
}

const NUMBERS: [&str; 6] = ["n", "in_size", "out_size", "acc_size", "grain", "PAR_KEEP_GOING"];

impl Signature {
    pub fn of(call: &str, job: &Job, grain: usize, keep_going: bool) -> Signature {
        let (sizes, functions) = match job.work() {
            Work::Map(map) => ([map.in_size, map.out_size, 0], [map.function as usize, 0]),
            Work::For(range) => ([0; 3], [range.function as usize, 0]),
            Work::Bytes(bytes) => ([0; 3], [bytes.function as usize, 0]),
            Work::Reduce(reduce) => ([0, 0, reduce.acc_size], [reduce.fold as usize, reduce.combine as usize]),
            _ => ([0; 3], [0; 2]),
        };
        let [in_size, out_size, acc_size] = sizes.map(|size| size as u64);
        let numbers = [job.items() as u64, in_size, out_size, acc_size, grain as u64, u64::from(keep_going)];
        let functions =
            functions.map(|function| if function == 0 { String::new() } else { function::identity(function) });
        Signature { numbers, functions, ..Signature::refusing(call, "") }
    }

    pub fn refusing(call: &str, sentence: &str) -> Signature {
        let (version, call, refusal) = (env!("CARGO_PKG_VERSION").into(), call.into(), sentence.into());
        Signature { version, call, refusal, ..Signature::default() }
    }

    pub fn write(&self, to: &mut Writer) {
        to.bytes(self.version.as_bytes()).bytes(self.call.as_bytes()).bytes(self.refusal.as_bytes());
        self.numbers.iter().for_each(|&number| {
            to.number(number);
        });
        self.functions.iter().for_each(|function| {
            to.bytes(function.as_bytes());
        });
    }

    pub fn read(from: &mut Reader) -> Signature {
        let (version, call, refusal) = (from.text(), from.text(), from.text());
        Signature {
            version,
            call,
            refusal,
            numbers: [(); NUMBERS.len()].map(|()| from.number()),
            functions: [(); 2].map(|()| from.text()),
        }
    }

    /// Why rank 0, whose signature this is, cannot make the call together with `rank`. None: it can.
    pub fn objection(&self, rank: usize, other: &Signature) -> Option<String> {
        if self.version != other.version {
            let (here, there) = (&self.version, &other.version);
            return Some(format!("rank 0 runs libparmap {here} but rank {rank} runs {there}: use one version"));
        }
        if self.call != other.call {
            let (here, there) = (&self.call, &other.call);
            return Some(format!(
                "rank 0 calls {here} but rank {rank} calls {there}: make the same call on every rank"
            ));
        }
        if !other.refusal.is_empty() {
            return Some(format!("rank {rank} cannot make this call: {}", other.refusal));
        }
        let numbers = self.numbers.iter().zip(&other.numbers).zip(NUMBERS);
        let numbers = numbers.map(|((here, there), name)| (name, here.to_string(), there.to_string()));
        let known = self.functions.iter().zip(&other.functions).zip([self.function_name(), "combine"]);
        let known = known.filter(|((here, there), _)| !here.is_empty() && !there.is_empty());
        let functions = known.map(|((here, there), name)| (name, here.clone(), there.clone()));
        let (name, here, there) = numbers.chain(functions).find(|(_, here, there)| here != there)?;
        Some(format!("{name} is {here} on rank 0 but {there} on rank {rank}: make the same call on every rank"))
    }

    fn function_name(&self) -> &'static str {
        if self.call == "par_reduce" { "fold" } else { "fn" }
    }
}

#[cfg(test)]
mod tests {
    use super::Signature;
    use crate::mpi::call::wire::{Reader, Writer};

    fn some() -> Signature {
        let functions = ["a.out+0x10".into(), String::new()];
        Signature { numbers: [10, 4, 8, 0, 1, 0], functions, ..Signature::refusing("par_map", "") }
    }

    #[test]
    fn a_signature_survives_the_journey() {
        let mut writer = Writer::default();
        some().write(&mut writer);
        assert_eq!(Signature::read(&mut Reader(&writer.0)), some());
    }

    #[test]
    fn what_differs_is_named() {
        assert_eq!(some().objection(1, &some()), None);
        let mut other = some();
        other.numbers[0] = 12;
        let said = some().objection(3, &other).unwrap();
        assert!(said.starts_with("n is 10 on rank 0 but 12 on rank 3"), "{said}");
        let mut other = some();
        other.functions[0] = "a.out+0x20".into();
        assert!(some().objection(1, &other).unwrap().starts_with("fn is a.out+0x10 on rank 0 but a.out+0x20"));
        let other = Signature::refusing("par_for", "");
        assert!(some().objection(1, &other).unwrap().contains("rank 1 calls par_for"));
        let other = Signature::refusing("par_map", "in_size is 0");
        assert!(some().objection(2, &other).unwrap().contains("rank 2 cannot make this call: in_size is 0"));
    }

    #[test]
    fn functions_outside_of_modules_are_not_compared() {
        let mut other = some();
        other.functions[0].clear();
        assert_eq!(some().objection(1, &other), None);
    }
}
