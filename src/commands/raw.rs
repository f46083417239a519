//! System calls that touch nothing but their arguments: no `errno`, which a child that has just been cloned shares with its
//! parent's thread. What they answer is the kernel's own: an errno below zero.

use std::ffi::{c_int, c_long};

/// Whether this file has the machine's own instruction. Where it has not, `errno` is written, and a child must not run beside
/// its parent.
pub const LEAVES_ERRNO_ALONE: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// # Safety
/// As for the system call of this number.
#[cfg(target_arch = "x86_64")]
pub unsafe fn call(number: c_long, a: usize, b: usize, c: usize, d: usize) -> isize {
    let answer;
    // SAFETY: the kernel keeps all registers but rax, rcx and r11; the rest is the caller's promise.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer
}

/// # Safety
/// As for the system call of this number.
#[cfg(target_arch = "aarch64")]
pub unsafe fn call(number: c_long, a: usize, b: usize, c: usize, d: usize) -> isize {
    let answer;
    // SAFETY: the kernel keeps all registers but x0; the rest is the caller's promise.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => answer,
            in("x1") b, in("x2") c, in("x3") d,
            options(nostack),
        );
    }
    answer
}

/// # Safety
/// As for the system call of this number.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub unsafe fn call(number: c_long, a: usize, b: usize, c: usize, d: usize) -> isize {
    // SAFETY: the caller's promise; `errno` is the C library's own.
    unsafe {
        match libc::syscall(number, a, b, c, d) {
            -1 => -(*libc::__errno_location() as isize),
            answer => answer as isize,
        }
    }
}

/// The errno of an answer that is one.
pub fn errno(answer: isize) -> Option<c_int> {
    (answer < 0).then_some(-answer as c_int)
}
