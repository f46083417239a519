/* Tells ThreadSanitizer about the locks of Rust's standard library, which comes built without it: the quick paths are
 * inlined into the library and seen, the paths of a thread that has to wait are not, and what such a lock protects would
 * be reported as a race. The linker leads the calls of those paths here (--wrap); `run` defines the names, which change
 * with the toolchain, as far as the library uses them. A lock that is released gives, and a lock that is taken takes, what its address stands for. */
#include <stdbool.h>
#include <stdint.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#ifdef REAL_LOCK_CONTENDED
void REAL_LOCK_CONTENDED(void *mutex);
void WRAP_LOCK_CONTENDED(void *mutex);

void WRAP_LOCK_CONTENDED(void *mutex) {
    REAL_LOCK_CONTENDED(mutex);
    __tsan_acquire(mutex);
}
#endif

#ifdef REAL_WAIT
void REAL_WAIT(void *condition, void *mutex);
void WRAP_WAIT(void *condition, void *mutex);

void WRAP_WAIT(void *condition, void *mutex) {
    __tsan_release(mutex);
    REAL_WAIT(condition, mutex);
    __tsan_acquire(mutex);
}
#endif

#ifdef REAL_WAIT_TIMEOUT
bool REAL_WAIT_TIMEOUT(void *condition, void *mutex, uint64_t seconds, uint32_t nanoseconds);
bool WRAP_WAIT_TIMEOUT(void *condition, void *mutex, uint64_t seconds, uint32_t nanoseconds);

bool WRAP_WAIT_TIMEOUT(void *condition, void *mutex, uint64_t seconds, uint32_t nanoseconds) {
    __tsan_release(mutex);
    bool woken = REAL_WAIT_TIMEOUT(condition, mutex, seconds, nanoseconds);
    __tsan_acquire(mutex);
    return woken;
}
#endif
