//! std_process N WORKERS MEGABYTES: a thread per worker, each calling `Command::output`. Prints the seconds it took.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|text| text.parse().expect("a number")).collect();
    let [n, workers, megabytes] = numbers[..] else { panic!("std_process N WORKERS MEGABYTES") };
    let held = vec![1u8; megabytes << 20];
    let next = AtomicUsize::new(0);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while next.fetch_add(1, Relaxed) < n {
                    assert!(Command::new("/bin/true").output().expect("it starts").status.success());
                }
            });
        }
    });
    println!("{:.6}", begin.elapsed().as_secs_f64());
    drop(std::hint::black_box(held));
}
