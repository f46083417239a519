//! What a rank has written before it ends the job: its launcher passes it on, and may be ended before it has.

use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

/// A launcher that has not read for so long will not.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a launcher takes, at the least, to pass on what it has read.
const PASSING_ON: Duration = Duration::from_millis(50);

/// What the program has printed, which the end of a program writes out after us: an abort may leave it no time.
pub fn write_out() {
    // SAFETY: the C library's standard output, which it flushes itself, too.
    unsafe { libc::fflush(stdout) };
}

unsafe extern "C" {
    static stdout: *mut libc::FILE;
}

/// Waits until the launcher has read what stands in this rank's output, and had some time to pass it on: hydra ends the job
/// as soon as it hears of the abort, and drops what it holds.
pub fn let_through() {
    let end = Instant::now() + PATIENCE;
    for stream in [libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        while has_unread(stream) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    std::thread::sleep(PASSING_ON);
}

/// Whether the other side has not read all of a pipe or socket yet.
fn has_unread(stream: i32) -> bool {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the status is written where the answer is 0, and only then read.
    let kind = unsafe {
        if libc::fstat(stream, status.as_mut_ptr()) != 0 {
            return false;
        }
        status.assume_init().st_mode & libc::S_IFMT
    };
    let question = match kind {
        libc::S_IFIFO => libc::FIONREAD,
        libc::S_IFSOCK => libc::TIOCOUTQ,
        _ => return false,
    };
    let mut count: libc::c_int = 0;
    // SAFETY: both questions are answered with an int.
    unsafe { libc::ioctl(stream, question, &mut count) == 0 && count > 0 }
}

#[cfg(test)]
mod tests {
    use super::has_unread;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_pipe_and_a_socket_tell_whether_they_have_been_read() {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let mut four = [0; 4];
        for round in 0..2 {
            assert!(!has_unread(writer.as_raw_fd()), "{round}");
            assert!(!has_unread(ours.as_raw_fd()), "{round}");
            writer.write_all(b"1234").unwrap();
            ours.write_all(b"1234").unwrap();
            assert!(has_unread(writer.as_raw_fd()) && has_unread(ours.as_raw_fd()), "{round}");
            reader.read_exact(&mut four).unwrap();
            theirs.read_exact(&mut four).unwrap();
        }
    }

    #[test]
    fn a_file_is_nobodys_to_read() {
        assert!(!has_unread(std::fs::File::open("Cargo.toml").unwrap().as_raw_fd()));
    }
}
