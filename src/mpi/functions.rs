//! The functions of a library, whatever its handles look like.

use super::abi::{Constants, Handle, Plain, Status};
use super::api::{Answer, Arrival, Code, Envelope, Lane, Lanes, Mpi, Recalled, Request};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::transmute_copy;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

macro_rules! functions {
    ($($name:ident = $symbol:literal ($($argument:ty),*);)*) => {
        /// The addresses of a library's functions.
        pub struct Functions<H> {
            $($name: unsafe extern "C" fn($($argument),*) -> c_int,)*
        }

        impl<H: Handle> Functions<H> {
            /// Err: the symbol that is missing.
            ///
            /// # Safety
            /// `find` answers the functions of an MPI library whose handles are H.
            pub unsafe fn load(
                find: impl Fn(&'static CStr) -> Result<*mut c_void, &'static CStr>,
            ) -> Result<Functions<H>, &'static CStr> {
                Ok(Functions {
                    // SAFETY: MPI says what each function of this name takes.
                    $($name: unsafe { transmute_copy(&find($symbol)?) },)*
                })
            }
        }
    };
}

type Out = *mut c_int;
type Data = *mut c_void;
type Input = *const c_void;

type CopyAttribute<H> = unsafe extern "C" fn(H, c_int, Data, Data, Data, Out) -> c_int;
type DeleteAttribute<H> = unsafe extern "C" fn(H, c_int, Data, Data) -> c_int;

functions! {
    initialized = c"MPI_Initialized"(Out);
    finalized = c"MPI_Finalized"(Out);
    init_thread = c"MPI_Init_thread"(Out, *mut c_void, c_int, Out);
    query_thread = c"MPI_Query_thread"(Out);
    is_thread_main = c"MPI_Is_thread_main"(Out);
    comm_create_keyval = c"MPI_Comm_create_keyval"(CopyAttribute<H>, DeleteAttribute<H>, Out, Data);
    comm_set_attr = c"MPI_Comm_set_attr"(H, c_int, Data);
    finalize = c"MPI_Finalize"();
    abort = c"MPI_Abort"(H, c_int);
    library_version = c"MPI_Get_library_version"(*mut c_char, Out);
    processor_name = c"MPI_Get_processor_name"(*mut c_char, Out);
    error_string = c"MPI_Error_string"(c_int, *mut c_char, Out);
    comm_rank = c"MPI_Comm_rank"(H, Out);
    comm_size = c"MPI_Comm_size"(H, Out);
    comm_dup = c"MPI_Comm_dup"(H, *mut H);
    comm_set_errhandler = c"MPI_Comm_set_errhandler"(H, H);
    isend = c"MPI_Isend"(Input, c_int, H, c_int, c_int, H, *mut H);
    irecv = c"MPI_Irecv"(Data, c_int, H, c_int, c_int, H, *mut H);
    cancel = c"MPI_Cancel"(*mut H);
    test_cancelled = c"MPI_Test_cancelled"(*const Status, Out);
    improbe = c"MPI_Improbe"(c_int, c_int, H, Out, *mut H, *mut Status);
    imrecv = c"MPI_Imrecv"(Data, c_int, H, *mut H, *mut H);
    get_count = c"MPI_Get_count"(*const Status, H, Out);
    test = c"MPI_Test"(*mut H, Out, *mut Status);
    ibarrier = c"MPI_Ibarrier"(H, *mut H);
    ibcast = c"MPI_Ibcast"(Data, c_int, H, c_int, H, *mut H);
    iscatter = c"MPI_Iscatter"(Input, c_int, H, Data, c_int, H, c_int, H, *mut H);
    igather = c"MPI_Igather"(Input, c_int, H, Data, c_int, H, c_int, H, *mut H);
    ireduce = c"MPI_Ireduce"(Input, Data, c_int, H, H, c_int, H, *mut H);
}

/// One library, its handles being H.
pub struct Library<H: Handle> {
    functions: Functions<H>,
    constants: Constants<H>,
}

struct OpenLanes<H: Handle> {
    library: &'static Library<H>,
    user: H,
    own: H,
}

fn check(code: c_int) -> Answer<()> {
    if code == 0 { Ok(()) } else { Err(Code(code)) }
}

/// An attribute of MPI_COMM_SELF, which is of no use to duplicates of it.
unsafe extern "C" fn not_copied<H>(_: H, _: c_int, _: Data, _: Data, _: Data, is_copied: Out) -> c_int {
    // SAFETY: MPI passes a place for an int.
    unsafe { *is_copied = 0 };
    0
}

/// Deletes the attribute, which MPI_Finalize does before all else.
unsafe extern "C" fn note<H>(_: H, _: c_int, has_ended: Data, _: Data) -> c_int {
    // SAFETY: the attribute is a flag that lives for ever.
    unsafe { &*has_ended.cast::<AtomicBool>() }.store(true, Relaxed);
    0
}

impl<H: Handle> Library<H> {
    pub fn new(functions: Functions<H>, constants: Constants<H>) -> &'static Library<H> {
        // It stays loaded for as long as the process lives.
        Box::leak(Box::new(Library { functions, constants }))
    }

    fn plain(&self) -> &Plain {
        &self.constants.plain
    }

    fn ask(&self, function: unsafe extern "C" fn(Out) -> c_int) -> Answer<c_int> {
        let mut answer = 0;
        // SAFETY: each such function writes one int.
        check(unsafe { function(&mut answer) })?;
        Ok(answer)
    }

    /// A text of MPI's; the longest, a version, has 8192 characters at most.
    fn text(&self, write: impl FnOnce(*mut c_char, Out) -> c_int) -> Answer<String> {
        let mut text = vec![0u8; 8193];
        let mut len = 0;
        check(write(text.as_mut_ptr().cast(), &mut len))?;
        let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
        text.truncate(end);
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn duplicate(&self) -> Answer<H> {
        let mut fresh = self.constants.world;
        // SAFETY: the world is a communicator; MPI writes the new one. Errors on it come back as codes.
        unsafe {
            check((self.functions.comm_dup)(self.constants.world, &mut fresh))?;
            check((self.functions.comm_set_errhandler)(fresh, self.constants.errors_return))?;
        }
        Ok(fresh)
    }
}

impl<H: Handle> Mpi for Library<H> {
    fn is_initialized(&self) -> bool {
        self.ask(self.functions.initialized).is_ok_and(|answer| answer != 0)
    }

    fn is_finalized(&self) -> bool {
        self.ask(self.functions.finalized).is_ok_and(|answer| answer != 0)
    }

    fn note_end(&self, has_ended: &'static AtomicBool) -> Answer<()> {
        let (mut key, place) = (0, ptr::from_ref(has_ended).cast_mut().cast());
        // SAFETY: both functions are what MPI wants, and stay, as the flag does.
        unsafe {
            check((self.functions.comm_create_keyval)(not_copied::<H>, note::<H>, &mut key, ptr::null_mut()))?;
            check((self.functions.comm_set_attr)(self.constants.itself, key, place))
        }
    }

    fn initialize(&self) -> Answer<()> {
        let mut provided = 0;
        // SAFETY: MPI takes NULL for the program's arguments.
        check(unsafe {
            let level = self.plain().thread_serialized;
            (self.functions.init_thread)(ptr::null_mut(), ptr::null_mut(), level, &mut provided)
        })
    }

    fn admits_any_thread(&self) -> bool {
        self.ask(self.functions.query_thread).is_ok_and(|level| level >= self.plain().thread_serialized)
    }

    fn admits_this_thread(&self) -> bool {
        self.admits_any_thread() || self.ask(self.functions.is_thread_main).is_ok_and(|main| main != 0)
    }

    fn finalize(&self) -> Answer<()> {
        // SAFETY: it takes nothing.
        check(unsafe { (self.functions.finalize)() })
    }

    fn abort(&self, code: i32) {
        // SAFETY: the world is a communicator.
        unsafe { (self.functions.abort)(self.constants.world, code) };
    }

    fn version(&self) -> String {
        // SAFETY: the text has room for any version.
        let version = self.text(|text, len| unsafe { (self.functions.library_version)(text, len) });
        let version = version.unwrap_or_default();
        // MPICH and Intel follow it with how they were built.
        let first: Vec<&str> = version.lines().next().unwrap_or_default().split_whitespace().collect();
        first.join(" ").replace("MPICH Version:", "MPICH").split(',').next().unwrap_or_default().into()
    }

    fn processor_name(&self) -> Answer<String> {
        // SAFETY: the text has room for any name.
        self.text(|text, len| unsafe { (self.functions.processor_name)(text, len) })
    }

    fn error_text(&self, code: Code) -> String {
        // SAFETY: the text has room for any error.
        let text = self.text(|text, len| unsafe { (self.functions.error_string)(code.0, text, len) });
        text.map_or_else(|_| format!("error {}", code.0), |text| text.trim().replace('\n', " "))
    }

    fn rank_and_size(&self) -> Answer<(i32, i32)> {
        let (mut rank, mut size) = (0, 0);
        // SAFETY: the world is a communicator.
        unsafe {
            check((self.functions.comm_rank)(self.constants.world, &mut rank))?;
            check((self.functions.comm_size)(self.constants.world, &mut size))?;
        }
        Ok((rank, size))
    }

    unsafe fn gather_in_world(&self) -> Answer<Request> {
        // SAFETY: all ranks call, says the caller.
        self.begin(|request| unsafe { (self.functions.ibarrier)(self.constants.world, request) })
    }

    fn open(&'static self) -> Answer<Box<dyn Lanes>> {
        Ok(Box::new(OpenLanes { library: self, user: self.duplicate()?, own: self.duplicate()? }))
    }

    fn test(&self, request: &mut Request) -> Answer<bool> {
        let ignore = ptr::without_provenance_mut(self.plain().status_ignore);
        self.test_to(request, ignore)
    }
}

impl<H: Handle> Library<H> {
    fn begin(&self, call: impl FnOnce(*mut H) -> c_int) -> Answer<Request> {
        let mut request = H::from_word(0);
        check(call(&mut request))?;
        Ok(Request(request.to_word()))
    }

    fn test_to(&self, request: &mut Request, status: *mut Status) -> Answer<bool> {
        let mut handle = H::from_word(request.0);
        let mut done = 0;
        // SAFETY: the request is one that this library gave and that was not done before; a status of ours has room for any
        // library's, and the constant is the library's own for none.
        check(unsafe { (self.functions.test)(&mut handle, &mut done, status) })?;
        request.0 = handle.to_word();
        Ok(done != 0)
    }

    fn arrival(&self, status: &Status) -> Answer<Arrival> {
        let (plain, mut len) = (self.plain(), 0);
        // SAFETY: MPI has written the status.
        check(unsafe { (self.functions.get_count)(status, self.constants.byte, &mut len) })?;
        Ok(Arrival { source: status.0[plain.status_source], tag: status.0[plain.status_tag], len: len as usize })
    }

    fn in_place(&self) -> *mut u8 {
        ptr::without_provenance_mut(self.plain().in_place)
    }

    fn or_in_place(&self, data: *const u8) -> *const c_void {
        if data.is_null() { self.in_place().cast_const().cast() } else { data.cast() }
    }
}

impl<H: Handle> OpenLanes<H> {
    fn lane(&self, lane: Lane) -> H {
        match lane {
            Lane::User => self.user,
            Lane::Own => self.own,
        }
    }
}

// SAFETY of all calls below: the lanes are open communicators, the types and operations are the library's own, and memory
// is what the caller of these unsafe functions promises.
impl<H: Handle> Lanes for OpenLanes<H> {
    unsafe fn send(&self, lane: Lane, data: *const u8, len: usize, to: i32, tag: i32) -> Answer<Request> {
        let Library { functions, constants } = self.library;
        // SAFETY: see above.
        self.library.begin(|request| unsafe {
            (functions.isend)(data.cast(), len as c_int, constants.byte, to, tag, self.lane(lane), request)
        })
    }

    fn probe(&self, lane: Lane, source: Option<i32>, tag: Option<i32>) -> Answer<Option<Envelope>> {
        let Library { functions, constants } = self.library;
        let plain = &constants.plain;
        let (source, tag) = (source.unwrap_or(plain.any_source), tag.unwrap_or(plain.any_tag));
        let (mut found, mut message, mut status) = (0, H::from_word(0), Status::default());
        // SAFETY: see above; a status of ours has room for any library's.
        check(unsafe { (functions.improbe)(source, tag, self.lane(lane), &mut found, &mut message, &mut status) })?;
        if found == 0 {
            return Ok(None);
        }
        let Arrival { source, tag, len } = self.library.arrival(&status)?;
        Ok(Some(Envelope { message: message.to_word(), source, tag, len }))
    }

    unsafe fn receive(&self, envelope: &Envelope, data: *mut u8) -> Answer<Request> {
        let Library { functions, constants } = self.library;
        let mut message = H::from_word(envelope.message);
        // SAFETY: see above.
        self.library.begin(|request| unsafe {
            (functions.imrecv)(data.cast(), envelope.len as c_int, constants.byte, &mut message, request)
        })
    }

    unsafe fn post(
        &self,
        lane: Lane,
        data: *mut u8,
        room: usize,
        source: Option<i32>,
        tag: Option<i32>,
    ) -> Answer<Request> {
        let Library { functions, constants } = self.library;
        let plain = &constants.plain;
        let (source, tag) = (source.unwrap_or(plain.any_source), tag.unwrap_or(plain.any_tag));
        // SAFETY: see above.
        self.library.begin(|request| unsafe {
            (functions.irecv)(data.cast(), room as c_int, constants.byte, source, tag, self.lane(lane), request)
        })
    }

    fn arrived(&self, request: &mut Request) -> Answer<Option<Arrival>> {
        let mut status = Status::default();
        if self.library.test_to(request, &mut status)? { self.library.arrival(&status).map(Some) } else { Ok(None) }
    }

    fn recall(&self, request: &mut Request) -> Answer<()> {
        let mut handle = H::from_word(request.0);
        // SAFETY: the request is one that this library gave and that is not done.
        check(unsafe { (self.library.functions.cancel)(&mut handle) })
    }

    fn recalled(&self, request: &mut Request) -> Answer<Recalled> {
        let (mut status, mut unused) = (Status::default(), 0);
        if !self.library.test_to(request, &mut status)? {
            return Ok(Recalled::Unknown);
        }
        // SAFETY: MPI has written the status.
        check(unsafe { (self.library.functions.test_cancelled)(&status, &mut unused) })?;
        if unused != 0 { Ok(Recalled::Unused) } else { self.library.arrival(&status).map(Recalled::Used) }
    }

    fn test(&self, request: &mut Request) -> Answer<bool> {
        self.library.test(request)
    }

    unsafe fn barrier(&self, lane: Lane) -> Answer<Request> {
        // SAFETY: see above.
        self.library.begin(|request| unsafe { (self.library.functions.ibarrier)(self.lane(lane), request) })
    }

    unsafe fn broadcast(&self, lane: Lane, data: *mut u8, len: usize, root: i32) -> Answer<Request> {
        let Library { functions, constants } = self.library;
        // SAFETY: see above.
        self.library.begin(|request| unsafe {
            (functions.ibcast)(data.cast(), len as c_int, constants.byte, root, self.lane(lane), request)
        })
    }

    unsafe fn scatter(&self, all: *const u8, mine: *mut u8, each: usize, root: i32) -> Answer<Request> {
        let Library { functions, constants } = self.library;
        let (byte, each) = (constants.byte, each as c_int);
        let mine = self.library.or_in_place(mine).cast_mut();
        // SAFETY: see above.
        self.library.begin(|request| unsafe {
            (functions.iscatter)(all.cast(), each, byte, mine, each, byte, root, self.user, request)
        })
    }

    unsafe fn gather(&self, mine: *const u8, all: *mut u8, each: usize, root: i32) -> Answer<Request> {
        let Library { functions, constants } = self.library;
        let (byte, each) = (constants.byte, each as c_int);
        let mine = self.library.or_in_place(mine);
        // SAFETY: see above.
        self.library.begin(|request| unsafe {
            (functions.igather)(mine, each, byte, all.cast(), each, byte, root, self.user, request)
        })
    }

    unsafe fn reduce(
        &self,
        input: *const u8,
        output: *mut u8,
        count: usize,
        kind: usize,
        operation: usize,
        root: i32,
    ) -> Answer<Request> {
        let Library { functions, constants } = self.library;
        let (kind, operation) = (constants.types[kind], constants.operations[operation]);
        let input = self.library.or_in_place(input);
        // SAFETY: see above.
        self.library.begin(|request| unsafe {
            (functions.ireduce)(input, output.cast(), count as c_int, kind, operation, root, self.user, request)
        })
    }
}
