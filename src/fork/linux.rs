use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::*};

/// The page's first word; dangling where the kernel has no such pages. NULL before the first use.
static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
/// The last token given out, in this process or an ancestor.
static LAST: AtomicU64 = AtomicU64::new(0);

const NO_SUCH_PAGE: *mut AtomicU64 = ptr::dangling_mut();

pub fn process_token() -> u64 {
    let page = PAGE.load(Acquire);
    if !page.is_null() && page != NO_SUCH_PAGE {
        // SAFETY: the page is never unmapped.
        let token = unsafe { &*page }.load(Relaxed);
        if token != 0 {
            return token;
        }
    }
    first_use(page)
}

#[cold]
fn first_use(mut page: *mut AtomicU64) -> u64 {
    if page.is_null() {
        let fresh = wiped_page().unwrap_or(NO_SUCH_PAGE);
        page = match PAGE.compare_exchange(ptr::null_mut(), fresh, AcqRel, Acquire) {
            Ok(_) => fresh,
            Err(first) => first, // another thread was faster; its page serves, ours stays unused
        };
    }
    if page == NO_SUCH_PAGE {
        return u64::from(std::process::id());
    }
    // SAFETY: the page is never unmapped.
    let word = unsafe { &*page };
    let token = LAST.fetch_add(1, Relaxed) + 1;
    match word.compare_exchange(0, token, Relaxed, Relaxed) {
        Ok(_) => token,
        Err(first) => first,
    }
}

fn wiped_page() -> Option<*mut AtomicU64> {
    const LEN: usize = 4096;
    // SAFETY: a fresh anonymous mapping touches no memory that exists, and the advice is about it alone.
    unsafe {
        let page = libc::mmap(
            ptr::null_mut(),
            LEN,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if page == libc::MAP_FAILED {
            return None;
        }
        if libc::madvise(page, LEN, libc::MADV_WIPEONFORK) != 0 {
            libc::munmap(page, LEN);
            return None;
        }
        Some(page.cast())
    }
}
