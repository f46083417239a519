//! The environment variables that the library reads, each once.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// `PAR_NUM_WORKERS`: how many workers a call has that does not say. Err is a sentence about a value that is none.
pub fn workers() -> Result<Option<usize>, String> {
    // A lock or a OnceLock here could be held by another thread at the moment of a fork, for ever in the child.
    static READ: AtomicUsize = AtomicUsize::new(NOT_YET);
    const NOT_YET: usize = 0;
    const UNSET: usize = usize::MAX;
    match READ.load(Relaxed) {
        NOT_YET => {
            let workers = parse(std::env::var_os("PAR_NUM_WORKERS"))?;
            READ.store(workers.unwrap_or(UNSET), Relaxed);
            Ok(workers)
        }
        UNSET => Ok(None),
        workers => Ok(Some(workers)),
    }
}

fn parse(value: Option<std::ffi::OsString>) -> Result<Option<usize>, String> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    match value.to_str().map(|text| text.trim().parse::<usize>()) {
        Some(Ok(workers)) if workers > 0 => Ok(Some(workers)),
        _ => Err(format!(
            "the environment's PAR_NUM_WORKERS is '{}': set it to a whole number from 1, or unset it",
            value.to_string_lossy()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_number_of_workers_is_read() {
        assert_eq!(parse(Some(" 7 ".into())), Ok(Some(7)));
        assert_eq!(parse(Some("".into())), Ok(None));
        assert_eq!(parse(None), Ok(None));
    }

    #[test]
    fn what_is_no_number_of_workers_is_quoted() {
        for bad in ["0", "-1", "two", "1.5", "99999999999999999999999"] {
            assert!(parse(Some(bad.into())).unwrap_err().contains(&format!("'{bad}'")), "{bad}");
        }
    }
}
