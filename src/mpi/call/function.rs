//! Which function a pointer means, in words that are the same on every rank: the module it lies in, and where.

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{ptr, slice};

/// "libkernels.so+0x1139 (build 3f2a...)"; empty for a function outside of any module, such as one made at run time.
pub fn identity(function: usize) -> String {
    let mut search = Search { function, found: String::new() };
    // SAFETY: the callback gets the search, which outlives the walk.
    unsafe { libc::dl_iterate_phdr(Some(look), ptr::from_mut(&mut search).cast()) };
    search.found
}

struct Search {
    function: usize,
    found: String,
}

unsafe extern "C" fn look(info: *mut libc::dl_phdr_info, _size: usize, search: *mut c_void) -> c_int {
    // SAFETY: the walk passes a loaded module with its program headers, and the search given to it.
    let (info, search) = unsafe { (&*info, &mut *search.cast::<Search>()) };
    // SAFETY: the same.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let base = info.dlpi_addr as usize;
    let place = |header: &libc::Elf64_Phdr| (base.wrapping_add(header.p_vaddr as usize), header.p_memsz as usize);
    let holds = |address: usize, len: usize| {
        headers.iter().filter(|header| header.p_type == libc::PT_LOAD).map(place).any(|(begin, size)| {
            let offset = address.wrapping_sub(begin);
            offset < size && size - offset >= len
        })
    };
    if !holds(search.function, 1) {
        return 0;
    }
    // SAFETY: the name is a text, empty for the program itself.
    let name = unsafe { CStr::from_ptr(info.dlpi_name) }.to_bytes();
    let path = match name {
        [] => std::env::current_exe().unwrap_or_else(|_| PathBuf::from("the program")),
        name => Path::new(OsStr::from_bytes(name)).to_path_buf(),
    };
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let offset = search.function - base;
    search.found = format!("{file}+{offset:#x}");
    let notes = headers.iter().filter(|header| header.p_type == libc::PT_NOTE);
    // Tools that change a module may leave notes outside of what is loaded.
    let loaded = notes.map(place).filter(|&(begin, len)| holds(begin, len));
    // SAFETY: these notes are within what is mapped of the module, and nobody writes them.
    let mut contents = loaded.map(|(begin, len)| unsafe { slice::from_raw_parts(begin as *const u8, len) });
    if let Some(id) = contents.find_map(build_id) {
        search.found +=
            &format!(" (build {})", id.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<String>());
    }
    1
}

/// The build-id among a module's notes.
fn build_id(mut notes: &[u8]) -> Option<&[u8]> {
    const GNU_BUILD_ID: u32 = 3;
    while let Some((head, rest)) = notes.split_at_checked(12) {
        let word = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().expect("four bytes"));
        let (name_len, id_len) = (word(0) as usize, word(4) as usize);
        let (name, rest) = rest.split_at_checked(name_len.next_multiple_of(4))?;
        let (id, rest) = rest.split_at_checked(id_len.next_multiple_of(4))?;
        if word(8) == GNU_BUILD_ID && name.starts_with(b"GNU\0") {
            return id.get(..id_len);
        }
        notes = rest;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::identity;

    #[test]
    fn functions_of_modules_have_names_and_others_have_none() {
        let own = identity(functions_of_modules_have_names_and_others_have_none as fn() as usize);
        assert!(own.starts_with("parmap-") && own.contains("+0x"), "{own}");
        let of_libc = identity(libc::qsort as *const () as usize);
        assert!(of_libc.starts_with("libc.so.6+0x"), "{of_libc}");
        assert_eq!(identity(Box::into_raw(Box::new(1)) as usize), "");
    }
}
