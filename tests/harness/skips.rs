//! A test that cannot run on this machine skips in plain sight.

use super::source;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Ends the test: prints and records its name and the reason. With `PAR_CHECK_STRICT=1` the test fails
/// unless `tests/allowed_skips.txt` names it.
macro_rules! skip {
    ($name:expr, $reason:expr) => {
        return $crate::harness::record_skip($name, &$reason)
    };
}

pub fn record_skip(name: &str, reason: &str) {
    let reason = reason.trim().replace('\n', " ");
    let line = format!("SKIPPED {name}: {reason}\n");
    eprint!("{line}");
    let record = std::env::var_os("PAR_SKIPS").map_or_else(default_record, PathBuf::from);
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&record)
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .unwrap_or_else(|error| panic!("{}: {error}", record.display()));

    let strict = std::env::var("PAR_CHECK_STRICT").is_ok_and(|value| value == "1");
    assert!(!strict || is_allowed(name), "{line}and tests/allowed_skips.txt does not allow it");
}

fn default_record() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("skips.txt")
}

/// The list holds lines `name: why this may be skipped`; a name without a reason allows nothing.
fn is_allowed(name: &str) -> bool {
    let list = std::fs::read_to_string(source("tests/allowed_skips.txt")).expect("tests/allowed_skips.txt is there");
    list.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(':'))
        .any(|(allowed, why)| allowed.trim() == name && !why.trim().is_empty())
}
