//! What differs between MPI libraries: the type of their handles and the values of their constants.
//!
//! There are three kinds. The standard ABI of MPI 5 and the MPICH family have numbers, fixed for ever; Open MPI's handles are
//! addresses of objects that the library exports. Everything here was read in the headers of MPICH 4 and 5 (also
//! `mpi_abi.h`) and Open MPI 4 and 5. The MPICH family keeps its numbers since the ABI agreement of 2013.

use std::ffi::{CStr, c_int, c_void};

/// The element types and operations of a reduce, in the order of `PAR_INT8..` and `PAR_SUM..`.
pub const TYPES: usize = 8;
pub const OPERATIONS: usize = 7;

/// A handle of MPI_Comm, MPI_Datatype, ... as a library passes it.
pub trait Handle: Copy + Send + Sync + 'static {
    fn from_word(word: usize) -> Self;
    fn to_word(self) -> usize;
}

/// Of the MPICH family.
impl Handle for c_int {
    fn from_word(word: usize) -> c_int {
        word as c_int
    }

    fn to_word(self) -> usize {
        self as usize
    }
}

/// Of the standard ABI and of Open MPI: a pointer, never followed here.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct Pointer(*mut c_void);

// SAFETY: it is a name for something inside the library.
unsafe impl Send for Pointer {}
// SAFETY: the same.
unsafe impl Sync for Pointer {}

impl Handle for Pointer {
    fn from_word(word: usize) -> Pointer {
        Pointer(std::ptr::without_provenance_mut(word))
    }

    fn to_word(self) -> usize {
        self.0.addr()
    }
}

#[derive(Clone, Debug)]
pub struct Constants<H> {
    pub world: H,
    /// MPI_COMM_SELF.
    pub itself: H,
    pub byte: H,
    pub errors_return: H,
    pub types: [H; TYPES],
    pub operations: [H; OPERATIONS],
    pub plain: Plain,
}

/// The constants that are no handles.
#[derive(Clone, Copy, Debug)]
pub struct Plain {
    pub in_place: usize,
    pub status_ignore: usize,
    pub any_source: c_int,
    pub any_tag: c_int,
    pub thread_serialized: c_int,
    /// Where a status has its source and tag, in ints.
    pub status_source: usize,
    pub status_tag: usize,
}

/// MPI_Status of any kind: 20 to 32 bytes, which begin with ints.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Status(pub [c_int; 16]);

impl Constants<Pointer> {
    /// The standard ABI of MPI 5.
    pub fn standard() -> Constants<Pointer> {
        Constants {
            world: Pointer::from_word(0x101),
            itself: Pointer::from_word(0x102),
            byte: Pointer::from_word(0x247),
            errors_return: Pointer::from_word(0x143),
            types: [0x240, 0x241, 0x250, 0x251, 0x258, 0x259, 0x210, 0x214].map(Pointer::from_word),
            operations: [0x21, 0x24, 0x22, 0x23, 0x28, 0x29, 0x2a].map(Pointer::from_word),
            plain: Plain {
                in_place: 1,
                status_ignore: 0,
                any_source: -1,
                any_tag: -2,
                thread_serialized: 2048,
                status_source: 0,
                status_tag: 1,
            },
        }
    }

    /// Open MPI: `find` answers the address of an exported object.
    pub fn open_mpi(
        find: impl Fn(&'static CStr) -> Result<*mut c_void, &'static CStr>,
    ) -> Result<Constants<Pointer>, &'static CStr> {
        let object = |name| find(name).map(Pointer);
        Ok(Constants {
            world: object(c"ompi_mpi_comm_world")?,
            itself: object(c"ompi_mpi_comm_self")?,
            byte: object(c"ompi_mpi_byte")?,
            errors_return: object(c"ompi_mpi_errors_return")?,
            types: [
                object(c"ompi_mpi_int8_t")?,
                object(c"ompi_mpi_uint8_t")?,
                object(c"ompi_mpi_int32_t")?,
                object(c"ompi_mpi_uint32_t")?,
                object(c"ompi_mpi_int64_t")?,
                object(c"ompi_mpi_uint64_t")?,
                object(c"ompi_mpi_float")?,
                object(c"ompi_mpi_double")?,
            ],
            operations: [
                object(c"ompi_mpi_op_sum")?,
                object(c"ompi_mpi_op_prod")?,
                object(c"ompi_mpi_op_min")?,
                object(c"ompi_mpi_op_max")?,
                object(c"ompi_mpi_op_band")?,
                object(c"ompi_mpi_op_bor")?,
                object(c"ompi_mpi_op_bxor")?,
            ],
            plain: Plain {
                in_place: 1,
                status_ignore: 0,
                any_source: -1,
                any_tag: -1,
                thread_serialized: 2,
                status_source: 0,
                status_tag: 1,
            },
        })
    }
}

impl Constants<c_int> {
    /// The MPICH family.
    pub fn mpich() -> Constants<c_int> {
        Constants {
            world: 0x4400_0000,
            itself: 0x4400_0001,
            byte: 0x4c00_010d,
            errors_return: 0x5400_0001,
            types: [
                0x4c00_0137,
                0x4c00_013b,
                0x4c00_0439,
                0x4c00_043d,
                0x4c00_083a,
                0x4c00_083e,
                0x4c00_040a,
                0x4c00_080b,
            ],
            operations: [0x5800_0003, 0x5800_0004, 0x5800_0002, 0x5800_0001, 0x5800_0006, 0x5800_0008, 0x5800_000a],
            plain: Plain {
                in_place: usize::MAX,
                status_ignore: 1,
                any_source: -2,
                any_tag: -1,
                thread_serialized: 2,
                status_source: 2,
                status_tag: 3,
            },
        }
    }
}
