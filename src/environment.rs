//! The environment variables that the library reads. Whoever asks keeps the answer: each is read once, unless it says otherwise.

use std::ffi::{OsStr, OsString};
use std::sync::OnceLock;

/// `PAR_NUM_WORKERS`: how many workers a call has that does not say. Err is a sentence about a value that is none.
pub fn workers() -> Result<Option<usize>, String> {
    parse(std::env::var_os("PAR_NUM_WORKERS"))
}

/// `PAR_MPI_LIBRARY`: the MPI library to load, a path or a name that the system finds.
pub fn mpi_library() -> Option<std::path::PathBuf> {
    std::env::var_os("PAR_MPI_LIBRARY").filter(|file| !file.is_empty()).map(Into::into)
}

/// `PAR_SYNC_URL`: where the meeting point is.
pub fn sync_url() -> Option<&'static OsStr> {
    static URL: OnceLock<Option<OsString>> = OnceLock::new();
    URL.get_or_init(sync_url_now).as_deref()
}

/// The same as it is now. It is what commands inherit, so `par_run` has to know it as it is.
pub fn sync_url_now() -> Option<OsString> {
    std::env::var_os("PAR_SYNC_URL").filter(|url| !url.is_empty())
}

/// `PAR_JOBLOG`: the file in which `par_run` keeps account. As it is now: a program may set it for one of its calls.
pub fn joblog() -> Option<OsString> {
    std::env::var_os("PAR_JOBLOG").filter(|name| !name.is_empty())
}

fn parse(value: Option<OsString>) -> Result<Option<usize>, String> {
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
