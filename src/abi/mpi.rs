use std::ffi::{c_int, c_void};

/// Runs whenever a waiting call pauses. Non-zero ends the wait for a message; other calls go on all the same.
pub type par_mpi_wait_fn = Option<unsafe extern "C" fn(ctx: *mut c_void) -> c_int>;

/// Any source, or any tag.
pub const PAR_MPI_ANY: i32 = -1;

/// Element type: `int8_t`.
pub const PAR_INT8: u32 = 1u32;
/// Element type: `uint8_t`.
pub const PAR_UINT8: u32 = 2u32;
/// Element type: `int32_t`.
pub const PAR_INT32: u32 = 3u32;
/// Element type: `uint32_t`.
pub const PAR_UINT32: u32 = 4u32;
/// Element type: `int64_t`.
pub const PAR_INT64: u32 = 5u32;
/// Element type: `uint64_t`.
pub const PAR_UINT64: u32 = 6u32;
/// Element type: `float`.
pub const PAR_FLOAT: u32 = 7u32;
/// Element type: `double`.
pub const PAR_DOUBLE: u32 = 8u32;

/// Operation: the sum.
pub const PAR_SUM: u32 = 1u32;
/// Operation: the product.
pub const PAR_PROD: u32 = 2u32;
/// Operation: the smallest.
pub const PAR_MIN: u32 = 3u32;
/// Operation: the largest.
pub const PAR_MAX: u32 = 4u32;
/// Operation: bitwise and; integers alone.
pub const PAR_BAND: u32 = 5u32;
/// Operation: bitwise or; integers alone.
pub const PAR_BOR: u32 = 6u32;
/// Operation: bitwise exclusive or; integers alone.
pub const PAR_BXOR: u32 = 7u32;
