//! Output that is too long for memory: a file without a name, and the same file mapped once it is whole.

use std::ffi::{CString, OsString};
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::ptr;

/// The folder for temporary files: the environment's TMPDIR, else /tmp.
pub fn folder() -> PathBuf {
    std::env::var_os("TMPDIR").filter(|name| !name.is_empty()).map_or("/tmp".into(), PathBuf::from)
}

/// A fresh file below `folder` that nobody else can see, and that goes when it is closed and unmapped.
pub fn create(folder: &Path) -> Result<File> {
    let unnamed =
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_TMPFILE | libc::O_EXCL).mode(0o600).open(folder);
    match unnamed {
        // Some file systems cannot do that.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)) => {
            named_for_a_moment(folder)
        }
        made => made,
    }
}

fn named_for_a_moment(folder: &Path) -> Result<File> {
    let mut template = OsString::from(folder).into_vec();
    template.extend_from_slice(b"/parmap-XXXXXX");
    let name = CString::new(template).map_err(|_| Error::from(ErrorKind::InvalidInput))?.into_raw();
    // SAFETY: the template is a string of ours that the call fills in; the descriptor it gives is ours, too.
    unsafe {
        let file = libc::mkostemp(name, libc::O_CLOEXEC);
        let error = Error::last_os_error();
        let name = CString::from_raw(name);
        if file < 0 {
            return Err(error);
        }
        libc::unlink(name.as_ptr());
        Ok(File::from_raw_fd(file))
    }
}

/// The file's contents as memory, `len` bytes that are not 0; whoever has it may write there, which the file does not see.
pub fn map(file: &File, len: usize) -> Result<*mut u8> {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE);
    // SAFETY: a fresh mapping of a file that nobody can cut short.
    let mapped = unsafe { libc::mmap(ptr::null_mut(), len, access, kind, file.as_raw_fd(), 0) };
    if mapped == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(mapped.cast()) }
}

/// # Safety
/// `data` came from `map` with this length and nobody uses it any more.
pub unsafe fn unmap(data: *mut u8, len: usize) {
    // SAFETY: the caller hands the mapping over.
    unsafe { libc::munmap(data.cast(), len) };
}

#[cfg(test)]
mod tests {
    use std::fs::read_dir;
    use std::io::Write;

    #[test]
    fn a_file_leaves_no_name_behind_whichever_way_it_was_made() {
        let folder = std::env::temp_dir().join(format!("parmap-spill-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for mut file in [super::create(&folder).unwrap(), super::named_for_a_moment(&folder).unwrap()] {
            assert_eq!(read_dir(&folder).unwrap().count(), 0);
            file.write_all(b"kept").unwrap();
            let data = super::map(&file, 4).unwrap();
            drop(file);
            // SAFETY: mapped above, with this length.
            unsafe {
                assert_eq!(std::slice::from_raw_parts(data, 4), b"kept");
                super::unmap(data, 4);
            }
        }
        std::fs::remove_dir(&folder).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(super::create("/nowhere".as_ref()).is_err());
        assert!(super::named_for_a_moment("/nowhere".as_ref()).is_err());
    }
}
