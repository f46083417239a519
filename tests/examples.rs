//! The C examples do what they say, linked through the `.so` and through the `.a`.

#[macro_use]
mod harness;

use harness::{Finished, Link, Program, compile, run, scratch, start};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "examples/picture.rs"]
mod picture;

/// Each of these is a test for each way to link.
macro_rules! through_both {
    ($($promise:ident),* $(,)?) => {
        mod through_the_so {
            $(#[test]
            fn $promise() {
                super::$promise(super::Link::Shared);
            })*
        }
        mod through_the_a {
            $(#[test]
            fn $promise() {
                super::$promise(super::Link::Static);
            })*
        }
    };
}

through_both! {
    fib_prints_six_right_numbers_and_the_speed_up,
    mandelbrot_writes_a_picture_of_the_set,
    digest_files_prints_what_sha256sum_prints,
    digest_files_reports_what_it_cannot_read_and_goes_on,
    pi_sum_has_the_same_bits_with_any_number_of_workers,
    stop_button_stops_on_ctrl_c,
    stop_button_stops_at_its_deadline,
    crash_proof_tells_how_each_item_ended,
    not_thread_safe_gives_the_answers_of_the_loop,
}

fn example(name: &str, link: Link) -> Command {
    Command::new(compile(&Program::new(&format!("c-examples/{name}.c"), link)))
}

/// An empty folder of this test.
fn folder(name: &str, link: Link) -> PathBuf {
    let folder = scratch().join(format!("{name}-{link:?}"));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn fib_prints_six_right_numbers_and_the_speed_up(link: Link) {
    let out = run(&mut example("fib", link)).succeeded();
    let lines: Vec<&str> = out.lines().collect();
    let right = [(38, 39088169), (37, 24157817), (36, 14930352), (35, 9227465), (34, 5702887), (33, 3524578)];
    for (line, (n, fib)) in lines.iter().zip(right) {
        assert_eq!(*line, format!("fib({n}) = {fib}"));
    }
    let number = |label: &str| -> f64 {
        let line = lines.iter().find_map(|line| line.strip_prefix(label)).unwrap_or_else(|| panic!("{label}: {out}"));
        line.trim().split([' ', 'x']).next().unwrap().parse().unwrap()
    };
    let (looped, mapped) = (number("one after the other"), number("par_map"));
    assert!(looped > 0.0 && mapped > 0.0);
    // Each time is rounded to a millisecond, the quotient to a hundredth.
    let speed_up = number("speed-up");
    assert!((speed_up - looped / mapped).abs() < 0.1 * speed_up + 0.01, "{out}");
}

fn mandelbrot_writes_a_picture_of_the_set(link: Link) {
    let folder = folder("mandelbrot", link);
    let out = run(example("mandelbrot", link).current_dir(&folder)).succeeded();
    assert!(out.starts_with("mandelbrot.png: 1200 x 800 points"), "{out}");
    let picture = picture::read(&fs::read(folder.join("mandelbrot.png")).unwrap());
    assert_eq!((picture.width, picture.height), (1200, 800));

    let colours: BTreeSet<[u8; 3]> = picture.points.iter().copied().collect();
    assert!(colours.len() > 1000, "{} colours", colours.len());
    // The set's area is 1.5066; the picture shows 3.45 x 2.3.
    let inside = picture.points.iter().filter(|point| **point == [0, 0, 0]).count();
    let area = inside as f64 * (3.45 / 1200.0_f64).powi(2);
    assert!((1.4..1.53).contains(&area), "an area of {area}");
    // The set is its own mirror image.
    let mirrored = (0..800).flat_map(|y| (0..1200).map(move |x| (x, y)));
    let unlike = mirrored.filter(|&(x, y)| picture.differ((x, y), (x, 799 - y))).count();
    assert!(unlike < 1200 * 800 / 100, "{unlike} points are not like their mirror images");
}

#[test]
fn mandelbrot_writes_where_it_is_told_or_says_why_not() {
    let folder = folder("told", Link::Shared);
    let named = folder.join("named.png");
    let out = run(example("mandelbrot", Link::Shared).arg(&named)).succeeded();
    assert!(out.starts_with(named.to_str().unwrap()), "{out}");
    assert!(fs::read(&named).unwrap().starts_with(b"\x89PNG"));

    let nowhere = run(example("mandelbrot", Link::Shared).arg(folder.join("no/such/folder.png")));
    assert!(!nowhere.status.success() && nowhere.err.contains("No such file"), "{nowhere:?}");
}

/// Files of the lengths at which SHA-256 takes another turn, in folders, beside what is no regular file.
fn make_files(root: &Path) {
    fs::create_dir_all(root.join("deeper/and deeper")).unwrap();
    for (number, len) in
        [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 16383, 16384, 16385, 1_000_000].into_iter().enumerate()
    {
        let folder = ["", "deeper", "deeper/and deeper"][number % 3];
        let contents: Vec<u8> = (0..len).map(|i| (i * 31 + i / 251 + number) as u8).collect();
        fs::write(root.join(folder).join(format!("file of {len} bytes")), contents).unwrap();
    }
    symlink("file of 1 bytes", root.join("a link")).unwrap();
    symlink("nothing", root.join("a dangling link")).unwrap();
    assert!(Command::new("mkfifo").arg(root.join("a pipe")).status().unwrap().success());
}

fn sorted_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn sha256sum(root: &Path) -> String {
    run(Command::new("find").arg(root).args(["-type", "f", "-readable", "-exec", "sha256sum", "{}", "+"])).succeeded()
}

fn digest_files_prints_what_sha256sum_prints(link: Link) {
    let root = folder("digests", link);
    make_files(&root);
    let out = run(example("digest_files", link).arg(&root)).succeeded();
    assert_eq!(out.lines().count(), 15);
    assert_eq!(sorted_lines(&out), sorted_lines(&sha256sum(&root)));

    let missing = run(example("digest_files", link).arg(root.join("nowhere")));
    assert!(!missing.status.success() && missing.err.contains("No such file"), "{missing:?}");
    assert_eq!(run(&mut example("digest_files", link)).status.code(), Some(2));
}

/// Root reads what it likes, by two capabilities that a program started here does not get.
fn without_roots_eyes(command: &mut Command) -> &mut Command {
    const CAP_DAC_OVERRIDE: libc::c_ulong = 1;
    const CAP_DAC_READ_SEARCH: libc::c_ulong = 2;
    // SAFETY: plain system calls between fork and exec. They fail for all but root, who alone needs them.
    unsafe {
        command.pre_exec(|| {
            for capability in [CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH] {
                libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
            }
            Ok(())
        })
    }
}

fn digest_files_reports_what_it_cannot_read_and_goes_on(link: Link) {
    let root = folder("unreadable", link);
    make_files(&root);
    let expected = sha256sum(&root);
    fs::write(root.join("secret"), "secret").unwrap();
    fs::create_dir_all(root.join("closed")).unwrap();
    fs::write(root.join("closed/hidden"), "hidden").unwrap();
    for name in ["secret", "closed"] {
        fs::set_permissions(root.join(name), Permissions::from_mode(0o000)).unwrap();
    }
    let test = "digest_files_reports_what_it_cannot_read_and_goes_on";
    if run(without_roots_eyes(Command::new("cat").arg(root.join("secret")))).status.success() {
        skip!(test, "this user can read every file");
    }

    let Finished { status, out, err } = run(without_roots_eyes(example("digest_files", link).arg(&root)));
    fs::set_permissions(root.join("closed"), Permissions::from_mode(0o700)).unwrap();
    assert_eq!(status.code(), Some(1));
    assert_eq!(sorted_lines(&out), sorted_lines(&expected));
    for name in ["secret", "closed"] {
        let complaint = format!("digest_files: {}: Permission denied", root.join(name).display());
        assert!(err.lines().any(|line| line == complaint), "{err}");
    }
    assert!(err.contains("par_map_bytes: "), "{err}");
}

fn pi_sum_has_the_same_bits_with_any_number_of_workers(link: Link) {
    let out = run(&mut example("pi_sum", link)).succeeded();
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 4, "{out}");
    for (line, workers) in lines.iter().zip(["1", "2", "7"]) {
        assert_eq!(line[0], workers);
        assert_eq!((line[2], line[3]), (lines[0][2], lines[0][3]));
        let pi: f64 = line[2].parse().unwrap();
        assert!((pi - std::f64::consts::PI).abs() < 1e-12, "{pi}");
    }
    assert_eq!(lines[3].join(" "), "the same bits with 1, 2 and 7 workers");
}

/// Reads "D of 2000 blocks searched: the longest chain starts at N and has S steps" and checks it.
fn check_search(out: &str) {
    let line = out.lines().last().unwrap();
    let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [done, blocks, start, steps] = numbers[..] else { panic!("{line}") };
    assert!(done < blocks && blocks == 2000, "{line}");
    assert!(start <= blocks * 100_000);
    let mut n = start;
    for _ in 0..steps {
        assert_ne!(n, 1, "the chain from {start} is shorter than {steps}");
        n = if n % 2 == 1 { 3 * n + 1 } else { n / 2 };
    }
    assert_eq!(n, 1, "the chain from {start} is longer than {steps}");
}

fn stop_button_stops_on_ctrl_c(link: Link) {
    let mut running = start(&mut example("stop_button", link));
    running.wait_for_error_text("of 2000 blocks");
    running.signal(libc::SIGINT);
    let Finished { status, out, err } = running.finish();
    assert_eq!(status.code(), Some(1), "{out}{err}");
    assert!(out.starts_with("par_map: stopped by the cancel flag"), "{out}");
    check_search(&out);
}

fn stop_button_stops_at_its_deadline(link: Link) {
    let Finished { status, out, err } = run(example("stop_button", link).arg("0.5"));
    assert_eq!(status.code(), Some(1), "{out}{err}");
    assert!(out.starts_with("par_map: timeout_ms of 500 passed"), "{out}");
    check_search(&out);
    assert!(err.contains("of 2000 blocks"), "{err}");
}

#[test]
fn every_example_compiles_without_a_warning_with_gcc_and_clang() {
    let test = "every_example_compiles_without_a_warning_with_gcc_and_clang";
    let mut found = 0;
    for compiler in ["gcc", "clang"] {
        if !harness::has_program(compiler) {
            skip!(test, format!("{compiler} is not installed"));
        }
        for entry in fs::read_dir(harness::source("c-examples")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".c") {
                let strict = ["-Wshadow", "-Wconversion", "-Wstrict-prototypes", "-O2"];
                compile(&Program::new(&format!("c-examples/{name}"), Link::Shared).by(compiler).with(&strict));
                found += 1;
            }
        }
    }
    assert!(found >= 10, "only {found} examples");
}

fn crash_proof_tells_how_each_item_ended(link: Link) {
    let out = run(&mut example("crash_proof", link)).succeeded();
    let rows: Vec<Vec<&str>> = out.lines().skip(1).take(10).map(|line| line.split("  ").collect()).collect();
    let ended: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| {
            let cells: Vec<&str> = row.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
            (cells[2], cells[3])
        })
        .collect();
    let ok = ("ok", "0");
    let signal = |number| ("ended by a signal", number);
    let expected =
        [ok, signal("11"), ok, ("timed out", "0"), ok, ("exited", "3"), signal("6"), signal("11"), ("failed", "5"), ok];
    assert_eq!(ended, expected, "{out}");
    assert!(out.contains("par_map: item 1 was ended by signal 11 (SIGSEGV); 6 of 10 items failed"), "{out}");
}

fn not_thread_safe_gives_the_answers_of_the_loop(link: Link) {
    let out = run(&mut example("not_thread_safe", link)).succeeded();
    assert!(out.contains("NPT-5:45     Thu 05:45:00\n"), "{out}");
    assert!(out.ends_with("the same as one after the other\n"), "{out}");
}
