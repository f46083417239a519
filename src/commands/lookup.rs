//! Where a program may be: its own path, or its name in each folder of the host's PATH.

use std::ffi::{CStr, CString, OsString, c_char};
use std::os::unix::ffi::OsStringExt;
use std::rc::Rc;

/// Where there is no PATH.
const USUAL: &[u8] = b"/bin:/usr/bin";

pub struct Lookup {
    path: Vec<u8>,
    /// The name that was looked up last.
    name: CString,
    paths: Rc<Paths>,
    /// Where the program was the last time.
    found: usize,
}

/// Where one program may be, in the order of PATH.
pub struct Paths {
    pointers: Vec<*const c_char>,
    /// How many of the first of them count from no folder.
    absolute: usize,
    /// What the pointers point into.
    _strings: Vec<CString>,
}

impl Lookup {
    pub fn new(path: Option<OsString>) -> Lookup {
        let path = path.map_or(USUAL.to_vec(), OsString::into_vec);
        Lookup { path, name: CString::default(), paths: Rc::new(Paths::of(Vec::new())), found: 0 }
    }

    /// Where the program may be, and which of these to try first.
    pub fn paths(&mut self, name: &CStr) -> (Rc<Paths>, usize) {
        if *self.name != *name {
            self.name = name.into();
            self.paths = Rc::new(Paths::of(self.candidates(name)));
            self.found = 0;
        }
        (self.paths.clone(), self.found)
    }

    /// The program was found at this one of the paths: it is the first to be tried for the next command of that name. Not
    /// where an earlier path counts from the command's own folder, since the next may have another.
    pub fn found(&mut self, paths: &Rc<Paths>, index: usize) {
        if Rc::ptr_eq(paths, &self.paths) && index <= paths.absolute {
            self.found = index;
        }
    }

    fn candidates(&self, name: &CStr) -> Vec<CString> {
        if name.is_empty() {
            return Vec::new();
        }
        if name.to_bytes().contains(&b'/') {
            return vec![name.into()];
        }
        let in_folder = |folder: &[u8]| {
            let folder = if folder.is_empty() { b"." } else { folder };
            CString::new([folder, b"/", name.to_bytes()].concat())
                .expect("neither a C string nor the environment holds a NUL")
        };
        self.path.split(|&byte| byte == b':').map(in_folder).collect()
    }
}

impl Paths {
    fn of(strings: Vec<CString>) -> Paths {
        Paths {
            pointers: strings.iter().map(|path| path.as_ptr()).collect(),
            absolute: strings.iter().take_while(|path| path.as_bytes().starts_with(b"/")).count(),
            _strings: strings,
        }
    }

    pub fn pointers(&self) -> &[*const c_char] {
        &self.pointers
    }
}

#[cfg(test)]
mod tests {
    use super::Lookup;
    use std::ffi::CStr;

    fn looked_up(lookup: &mut Lookup, name: &CStr) -> (Vec<String>, usize) {
        let (paths, first) = lookup.paths(name);
        // SAFETY: the paths hold the strings.
        let shown = |&path| unsafe { CStr::from_ptr(path) }.to_string_lossy().into_owned();
        (paths.pointers().iter().map(shown).collect(), first)
    }

    #[test]
    fn a_name_is_looked_for_in_every_folder_and_a_path_is_taken_as_it_is() {
        let mut lookup = Lookup::new(Some("/a:/b::c".into()));
        assert_eq!(looked_up(&mut lookup, c"true").0, ["/a/true", "/b/true", "./true", "c/true"]);
        assert_eq!(looked_up(&mut lookup, c"./true").0, ["./true"]);
        assert_eq!(looked_up(&mut lookup, c"").0, [""; 0]);
        assert_eq!(looked_up(&mut Lookup::new(None), c"ls").0, ["/bin/ls", "/usr/bin/ls"]);
    }

    #[test]
    fn the_folder_that_had_the_program_is_tried_first_for_the_next() {
        let mut lookup = Lookup::new(Some("/a:/b:/c".into()));
        let (paths, first) = lookup.paths(c"true");
        assert_eq!(first, 0);
        lookup.found(&paths, 1);
        assert_eq!(looked_up(&mut lookup, c"true").1, 1);
        assert_eq!(looked_up(&mut lookup, c"false").1, 0);
        lookup.found(&paths, 2);
        assert_eq!(looked_up(&mut lookup, c"false").1, 0, "that was about another program");
    }

    #[test]
    fn a_folder_behind_one_that_is_each_commands_own_is_not_tried_first() {
        let mut lookup = Lookup::new(Some("/a:./b:/c".into()));
        let (paths, _) = lookup.paths(c"true");
        lookup.found(&paths, 2);
        assert_eq!(looked_up(&mut lookup, c"true").1, 0, "the next command may have it in its ./b");
        lookup.found(&paths, 1);
        assert_eq!(looked_up(&mut lookup, c"true").1, 1);
    }
}
