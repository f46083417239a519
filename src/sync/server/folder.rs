//! A folder that nobody else can look into, gone when it is dropped.

use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The longest path of a socket, its closing zero included.
const LONGEST_SOCKET: usize = {
    // SAFETY: zeroes are an empty address.
    let address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    size_of_val(&address.sun_path)
};

#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Below the first of the usual places where one can be made and where the path of `file` in it fits a socket.
    pub fn new(file: &str) -> io::Result<Folder> {
        let mut refusal = io::Error::other("no folder for temporary files has a path short enough for a socket");
        for place in [std::env::temp_dir(), "/tmp".into(), "/dev/shm".into()] {
            let place = std::path::absolute(place)?;
            let pattern = place.join("parmap-XXXXXX");
            if pattern.join(file).as_os_str().len() >= LONGEST_SOCKET {
                continue;
            }
            match make(&pattern) {
                Ok(path) => return Ok(Folder { path }),
                Err(error) => refusal = io::Error::new(error.kind(), format!("{}: {error}", place.display())),
            }
        }
        Err(refusal)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Forgets the folder: it belongs to another process.
    pub fn leave(&mut self) {
        self.path.clear();
    }
}

/// mkdtemp makes the folder with mode 0700, whatever the umask.
fn make(pattern: &Path) -> io::Result<PathBuf> {
    let mut name = CString::new(pattern.as_os_str().as_bytes())?.into_bytes_with_nul();
    // SAFETY: `name` is writable and ends with a zero.
    if unsafe { libc::mkdtemp(name.as_mut_ptr().cast()) }.is_null() {
        return Err(io::Error::last_os_error());
    }
    name.pop();
    Ok(OsString::from_vec(name).into())
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // Somebody else may have removed it.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
