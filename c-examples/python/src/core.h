/* What the files of the extension know of each other.
 *
 *   module.c            the module: its state, its slots, its functions
 *   map_buffer.c        the call itself: start reading there
 *   function_pointer.c  Python object -> C function pointer
 *   pointer_objects.c   what the objects of ctypes and cffi hold
 *   signature.c         "double (double, void *)" -> which of our forms that is
 *   element_loops.c     the loops over element functions
 *   buffers.c           Python object -> memory that is fit for the call
 *   run.c               programs, the same way
 *   sync.c              the meeting point, the same way
 *   watch.c             what the calling thread looks after while the map runs: Ctrl-C and progress
 *   errors.c            par_status -> Python exception
 *   clock.c             a cheap clock
 * for libparmap.mpi:
 *   ranks.c             the door to par_mpi_*, and its calls that move no data
 *   messages.c          send and receive
 *   together.c          broadcast, scatter, gather, reduce
 * and for the Pool, whose bookkeeping is Python:
 *   fork.c              a worker's fork, and how it ended
 *   board.c             which of its items a worker is at; the loop over items
 *   mapping.c           memory that arrived as a file descriptor
 *   descriptor.c        a file descriptor that is closed in the end
 */
#ifndef LIBPARMAP_CORE_H
#define LIBPARMAP_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <stdint.h>

#include "parmap.h"

/* ---- module.c ---------------------------------------------------------------------------------------------- */

/* Everything the module holds lives here, once per interpreter, so that sub-interpreters share nothing. */
typedef struct core_state {
    PyObject *item_error; /* libparmap.ItemError */
    PyObject *sync_error; /* libparmap.SyncError */
} core_state;

/* For functions that are called by our own Python files only: 0, or -1 with an exception set. */
int wants_arguments(const char *name, Py_ssize_t given, Py_ssize_t wanted);

/* ---- signature.c ------------------------------------------------------------------------------------------- */

enum c_type { C_VOID, C_DOUBLE, C_FLOAT, C_INT64, C_INT32, C_POINTER, C_OTHER };

/* More arguments than any form has, so that a longer list is seen to be too long. */
#define MOST_ARGUMENTS 4

struct signature {
    enum c_type result;
    enum c_type arguments[MOST_ARGUMENTS];
    int n_arguments;
};

/* A kind of C function that map_buffer can call. */
struct function_form {
    struct signature signature;
    const char *spelling;
    enum c_type element; /* what it takes and returns; C_POINTER: addresses of whole items */
    par_range_fn loop;   /* its loop in element_loops.c; NULL: par_map calls it itself */
    par_map_fn one;      /* one turn of that loop, where elements and results have to travel */
    int takes_user_data;
};

/* Both answer NULL with an exception set. `whose` begins the sentence: "map_buffer: func". */
const struct function_form *form_of_text(const char *text, const char *whose);
const struct function_form *form_of_ctypes(PyObject *function);

/* ---- function_pointer.c ------------------------------------------------------------------------------------ */

typedef void (*any_function)(void);

struct function_pointer {
    PyObject *owner; /* whatever keeps the code behind `address` alive */
    any_function address;
    const struct function_form *form;
    void *user_data;
    Py_buffer user_buffer; /* the memory of user_data where it came as a buffer; obj is NULL otherwise */
};

/* `signature` and `user_data` may be None. 0, or -1 with an exception set. */
int function_pointer_open(struct function_pointer *function, PyObject *func, PyObject *signature,
                          PyObject *user_data);
void function_pointer_close(struct function_pointer *function);

/* ---- pointer_objects.c ------------------------------------------------------------------------------------- */

/* 1, 0, or -1 with an exception set. */
int is_ctypes_function(PyObject *object);
int is_ctypes_pointer(PyObject *object);
int is_cffi_object(PyObject *object);
/* 0, or -1 with an exception set that calls the object by `name`. */
int address_of_ctypes(PyObject *pointer, uintptr_t *address);
int address_of_cffi(PyObject *pointer, const char *name, uintptr_t *address);
int address_of_integer(PyObject *integer, const char *name, uintptr_t *address);
/* "int(*)(void *, void *, void *)"; a new reference, or NULL with an exception set. */
PyObject *cffi_type_name(PyObject *object);

/* ---- buffers.c --------------------------------------------------------------------------------------------- */

struct array {
    const char *name; /* "src" or "out", for sentences */
    Py_buffer view;   /* obj is NULL while closed */
    size_t n_items;   /* length of the first axis */
    size_t item_size; /* bytes from one item of the first axis to the next */
};

int array_open(struct array *array, PyObject *object, const char *name, int writable);
void array_close(struct array *array);
/* Checks that need both arrays and the function's form. 0, or -1 with an exception set. */
int arrays_fit(const struct array *src, const struct array *out, const struct function_form *form);

/* ---- clock.c ----------------------------------------------------------------------------------------------- */

int64_t coarse_now_ms(void);

/* ---- watch.c ----------------------------------------------------------------------------------------------- */

/* The calling thread looks up from its work every 50 ms: well within the promised 0.2 s. */
#define LOOK_UP_EVERY_MS 50

struct watch {
    PyThreadState *thread; /* the caller's, detached while the map runs */
    pthread_t caller;
    PyObject *progress; /* callable(done, total), or NULL */
    int signals;        /* is this the one thread on which Python handles signals? */
    char apart[64];     /* the caller writes below at every item, and helpers read above: not in one cache line */
    int stride, skip;   /* look at the clock every `stride` items: next after `skip` more */
    int64_t looked_ms;  /* what the clock showed last */
    int64_t due_ms;     /* when to look for signals next */
    int raised;         /* an exception waits in `thread` */
};

int watch_open(struct watch *watch, PyObject *progress);
void watch_open_anywhere(struct watch *watch);
/* For the library's `poll`: progress, then signals. */
int watch_poll(const par_progress *progress, void *watch);
int watch_look_closer(struct watch *watch);

/* For loops: non-zero once an exception waits and the map should stop. Helpers never look: the exception belongs
 * to the caller, and so do the clock and the counter. */
static inline int watch_look_up(struct watch *watch)
{
    if (!watch->signals || !pthread_equal(pthread_self(), watch->caller) || --watch->skip > 0)
        return 0;
    return watch_look_closer(watch);
}

/* ---- element_loops.c --------------------------------------------------------------------------------------- */

/* One call of map_buffer in plain C: all that may be touched while the GIL is released. */
struct map_call {
    any_function function;
    void *user_data;
    const void *in;
    void *out;
    struct watch watch;
};

/* What our own loops return to stop the map when an exception waits. */
#define STOPPED (-1)

#define ELEMENT_LOOP(name)                                                                                        \
    int map_##name(size_t begin, size_t end, void *map_call);                                                     \
    int map_##name##_with_data(size_t begin, size_t end, void *map_call);                                         \
    int map_##name##_one(const void *in, void *out, void *map_call);                                              \
    int map_##name##_with_data_one(const void *in, void *out, void *map_call)

ELEMENT_LOOP(doubles);
ELEMENT_LOOP(floats);
ELEMENT_LOOP(int64s);
ELEMENT_LOOP(int32s);
/* An item function called through the watch, for calls on the main thread. */
int map_watched_item(const void *in, void *out, void *map_call);

/* ---- map_buffer.c ------------------------------------------------------------------------------------------ */

PyObject *map_buffer(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments);

/* ---- run.c ------------------------------------------------------------------------------------------------- */

PyObject *run(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments);

/* ---- sync.c ------------------------------------------------------------------------------------------------ */

/* Adds the connection's type and SyncError. 0, or -1 with an exception set. */
int add_sync(PyObject *module);

/* ---- errors.c ---------------------------------------------------------------------------------------------- */

/* Sets the exception for a status other than PAR_OK; always NULL. */
PyObject *raise_status(const core_state *state, par_status status, const par_report *report);

/* ---- ranks.c ----------------------------------------------------------------------------------------------- */

/* One call of par_mpi_*, made without the GIL. */
struct ranks_call {
    struct watch watch;
    int bell;         /* a descriptor that can be read once the caller is wanted elsewhere; or -1 */
    int64_t until_ms; /* on the coarse clock */
};

/* Gives up the GIL and goes in. */
void ranks_enter(struct ranks_call *call);
/* The same for a wait that ends when the bell rings or the time is up; no limit where `timeout_ms` is negative. */
void ranks_enter_until(struct ranks_call *call, int bell, int timeout_ms);
int ranks_wanted_elsewhere(const struct ranks_call *call);
void ranks_let_others_in(struct ranks_call *call);
/* Comes out and takes the GIL. 0, or -1 with the exception that `status` or a signal handler calls for. */
int ranks_leave(struct ranks_call *call, PyObject *module, par_status status);

PyObject *ranks_init(PyObject *module, PyObject *nothing);
PyObject *ranks_rank(PyObject *module, PyObject *nothing);
PyObject *ranks_size(PyObject *module, PyObject *nothing);
PyObject *ranks_time(PyObject *module, PyObject *nothing);
PyObject *ranks_library(PyObject *module, PyObject *nothing);
PyObject *ranks_processor_name(PyObject *module, PyObject *nothing);
PyObject *ranks_barrier(PyObject *module, PyObject *nothing);
PyObject *ranks_abort(PyObject *module, PyObject *code);
PyObject *ranks_finalize(PyObject *module, PyObject *nothing);

/* ---- messages.c -------------------------------------------------------------------------------------------- */

PyObject *ranks_send(PyObject *module, PyObject *arguments);
PyObject *ranks_receive(PyObject *module, PyObject *arguments);
PyObject *ranks_receive_into(PyObject *module, PyObject *arguments);
PyObject *fill(PyObject *module, PyObject *arguments);

/* ---- together.c -------------------------------------------------------------------------------------------- */

PyObject *ranks_broadcast(PyObject *module, PyObject *arguments);
PyObject *ranks_scatter(PyObject *module, PyObject *arguments);
PyObject *ranks_gather(PyObject *module, PyObject *arguments);
PyObject *ranks_reduce(PyObject *module, PyObject *arguments);

/* ---- functions of the module that serve the Pool ------------------------------------------------------------- */

PyObject *is_main_interpreter(PyObject *module, PyObject *nothing);
PyObject *fork_worker(PyObject *module, PyObject *pids);
void end_if_copied(void);
PyObject *status_after_reaping(PyObject *module, PyObject *pidfd);
PyObject *board_open(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments);
PyObject *board_load(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments);
PyObject *board_look(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments);
PyObject *board_take_back(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments);
PyObject *run_items(PyObject *module, PyObject *const *arguments, Py_ssize_t n_arguments);
extern PyType_Spec mapping_spec;
extern PyType_Spec descriptor_spec;

#endif
