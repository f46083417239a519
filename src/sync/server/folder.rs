//! A folder for a socket that nobody else can look into, gone when it is dropped.
//!
//! Whoever has one holds a lock on it. Where a process is killed, the kernel takes the lock back, and the next process of
//! the same user that makes a folder removes what was left. Process numbers would not do: they are used again, and those of
//! other containers that share the place mean nothing here. (systemd-tmpfiles leaves a folder with such a lock alone, too.)

use std::ffi::{CString, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The longest path of a socket, its closing zero included.
const LONGEST_SOCKET: usize = {
    // SAFETY: zeroes are an empty address.
    let address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    size_of_val(&address.sun_path)
};

const PREFIX: &str = "parmap-sync-";
/// mkdtemp puts as many letters and digits in its place.
const RANDOM: &str = "XXXXXX";

#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// A forked child that lives on keeps the lock, and so the folder, which is no harm.
    _lock: File,
}

impl Folder {
    /// Below the first of the usual places where one can be made and where the path of `socket` in it is short enough.
    pub fn new(socket: &str) -> io::Result<Folder> {
        let mut refusal = io::Error::other("no folder for temporary files has a path short enough for a socket");
        for place in [std::env::temp_dir(), "/tmp".into(), "/dev/shm".into()] {
            let place = std::path::absolute(place)?;
            if place.join(PREFIX.to_owned() + RANDOM).join(socket).as_os_str().len() >= LONGEST_SOCKET {
                continue;
            }
            sweep(&place, socket);
            match make(&place) {
                Ok(folder) => return Ok(folder),
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

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // Somebody else may have removed it.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// A new folder below `place`, locked. A place whose file system knows no locks is refused: there, nobody could tell it from
/// one that was left.
fn make(place: &Path) -> io::Result<Folder> {
    // Between its making and the lock, another process may take the folder for one that was left. That is rare.
    const MOST_TRIES: usize = 100;
    for _ in 0..MOST_TRIES {
        let path = make_unlocked(&place.join(PREFIX.to_owned() + RANDOM))?;
        match open(&path).and_then(|folder| Ok(lock(&folder, &path)?.then_some(folder))) {
            Ok(Some(lock)) => return Ok(Folder { path, _lock: lock }),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let _ = fs::remove_dir(&path);
                return Err(error);
            }
        }
    }
    Err(io::Error::other("others take every new folder away"))
}

/// mkdtemp makes the folder with mode 0700, whatever the umask.
fn make_unlocked(pattern: &Path) -> io::Result<PathBuf> {
    let mut name = CString::new(pattern.as_os_str().as_bytes())?.into_bytes_with_nul();
    // SAFETY: `name` is writable and ends with a zero.
    if unsafe { libc::mkdtemp(name.as_mut_ptr().cast()) }.is_null() {
        return Err(io::Error::last_os_error());
    }
    name.pop();
    Ok(OsString::from_vec(name).into())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path)
}

/// Locks the folder until it is closed. False: another has the lock, or the one that had it before has removed the folder.
fn lock(folder: &File, path: &Path) -> io::Result<bool> {
    // SAFETY: a plain system call on an open descriptor.
    if unsafe { libc::flock(folder.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::WouldBlock { Ok(false) } else { Err(error) };
    }
    let (locked, there) = (folder.metadata()?, fs::symlink_metadata(path)?);
    Ok((locked.dev(), locked.ino()) == (there.dev(), there.ino()))
}

/// Removes the folders below `place` that killed processes of this user have left.
fn sweep(place: &Path, socket: &str) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.len() == PREFIX.len() + RANDOM.len() && name.as_bytes().starts_with(PREFIX.as_bytes()) {
            // What cannot be removed now stays for the next one.
            let _ = remove_if_left(&entry.path(), socket);
        }
    }
}

fn remove_if_left(path: &Path, socket: &str) -> io::Result<()> {
    let folder = open(path)?;
    // SAFETY: geteuid takes nothing and cannot fail.
    let this_user = unsafe { libc::geteuid() };
    // Root can open what is other users'.
    if folder.metadata()?.uid() != this_user || !lock(&folder, path)? {
        return Ok(());
    }
    // Whoever has put something else there wants to keep it: only an empty folder can be removed.
    let socket = path.join(socket);
    if fs::symlink_metadata(&socket).is_ok_and(|file| file.file_type().is_socket()) {
        fs::remove_file(socket)?;
    }
    fs::remove_dir(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{chown, symlink};
    use std::os::unix::net::UnixListener;

    /// An empty place of its own.
    fn place(name: &str) -> PathBuf {
        let place = std::env::temp_dir().join(format!("parmap-{}-{name}", std::process::id()));
        fs::create_dir(&place).unwrap();
        place
    }

    fn left(place: &Path, name: &str) -> PathBuf {
        let path = place.join(name);
        fs::create_dir(&path).unwrap();
        drop(UnixListener::bind(path.join("sync")).unwrap());
        path
    }

    #[test]
    fn only_what_a_dead_server_of_this_user_left_is_removed() {
        let place = place("left");
        let dead = left(&place, "parmap-sync-AAAAAA");
        let dead_before_it_listened = place.join("parmap-sync-BBBBBB");
        fs::create_dir(&dead_before_it_listened).unwrap();

        let alive = make(&place).unwrap();
        drop(UnixListener::bind(alive.path().join("sync")).unwrap());
        let mut kept =
            vec![alive.path().join("sync"), left(&place, "parmap-sync-of-mine"), left(&place, "parmap-AAAAAA")];
        for (folder, file) in [("parmap-sync-CCCCCC", "sync"), ("parmap-sync-DDDDDD", "notes")] {
            fs::create_dir(place.join(folder)).unwrap();
            kept.push(place.join(folder).join(file));
            fs::write(kept.last().unwrap(), "mine").unwrap();
        }
        kept.push(place.join("parmap-sync-EEEEEE"));
        symlink(left(&place, "elsewhere"), kept.last().unwrap()).unwrap();
        kept.push(place.join("elsewhere/sync"));
        let of_another_user = left(&place, "parmap-sync-FFFFFF");
        // Root alone can make it so.
        if chown(&of_another_user, Some(65534), None).is_ok() {
            kept.push(of_another_user.join("sync"));
        }

        sweep(&place, "sync");
        assert!(!dead.exists() && !dead_before_it_listened.exists());
        for path in kept {
            assert!(fs::symlink_metadata(&path).is_ok(), "{}", path.display());
        }
        drop(alive);
        fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn folders_made_and_swept_at_once_stay_with_their_owners() {
        let place = place("race");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        sweep(&place, "sync");
                        let folder = make(&place).unwrap();
                        let socket = folder.path().join("sync");
                        let _listener = UnixListener::bind(&socket).unwrap();
                        sweep(&place, "sync");
                        assert!(socket.exists());
                    }
                });
            }
        });
        sweep(&place, "sync");
        fs::remove_dir(place).unwrap();
    }
}
