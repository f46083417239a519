//! A lock that nobody waits for: one is inside, and who comes meanwhile is told so.
//!
//! A mutex would also keep a queue and a note of panics, of which nobody here makes use; every message pays for the lock.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering::*};

pub struct Gate<T> {
    is_taken: AtomicBool,
    inside: UnsafeCell<T>,
}

// SAFETY: one thread at a time has a pass, and nothing but a pass reaches what is inside. Whatever the thread before wrote is
// seen, since it released the gate after that, and the next acquires it.
unsafe impl<T: Send> Sync for Gate<T> {}

/// The right to be inside. Like a mutable reference to what is there, threads share it only if they may share that.
pub struct Pass<T: 'static>(&'static Gate<T>, PhantomData<&'static mut T>);

impl<T> Gate<T> {
    pub const fn new(inside: T) -> Gate<T> {
        Gate { is_taken: AtomicBool::new(false), inside: UnsafeCell::new(inside) }
    }

    /// None: somebody is inside.
    pub fn enter(&'static self) -> Option<Pass<T>> {
        self.is_taken.compare_exchange(false, true, Acquire, Relaxed).is_ok().then(|| Pass(self, PhantomData))
    }
}

impl<T> Deref for Pass<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: there is no other pass.
        unsafe { &*self.0.inside.get() }
    }
}

impl<T> DerefMut for Pass<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: there is no other pass.
        unsafe { &mut *self.0.inside.get() }
    }
}

impl<T> Drop for Pass<T> {
    fn drop(&mut self) {
        self.0.is_taken.store(false, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::Gate;

    #[test]
    fn one_is_inside_at_a_time() {
        static GATE: Gate<i32> = Gate::new(1);
        let mut pass = GATE.enter().unwrap();
        *pass += 1;
        assert!(GATE.enter().is_none());
        assert!(GATE.enter().is_none(), "a refusal opens nothing");
        drop(pass);
        assert_eq!(*GATE.enter().unwrap(), 2);
    }
}
