/* libparmap._core.Mapping: memory that arrived as a file descriptor, mapped for as long as somebody looks at it.
 *
 * Python's mmap keeps a descriptor open for each mapping, and a thousand results would be a thousand descriptors. */
#include "core.h"

#include <sys/mman.h>

struct mapping {
    PyObject_HEAD
    void *memory;
    Py_ssize_t size;
};

static PyObject *mapping_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    struct mapping *self;
    Py_ssize_t size;
    void *memory;
    int fd;

    if (!PyArg_ParseTuple(arguments, "in:Mapping", &fd, &size))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    Py_END_ALLOW_THREADS
    if (memory == MAP_FAILED)
        return PyErr_SetFromErrno(PyExc_OSError);
    self = (struct mapping *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self == NULL) {
        munmap(memory, (size_t)size);
        return NULL;
    }
    self->memory = memory;
    self->size = size;
    return (PyObject *)self;
}

static void mapping_free(PyObject *object)
{
    struct mapping *self = (struct mapping *)object;
    PyTypeObject *type = Py_TYPE(object);

    munmap(self->memory, (size_t)self->size);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static int mapping_get_buffer(PyObject *object, Py_buffer *view, int flags)
{
    struct mapping *self = (struct mapping *)object;

    return PyBuffer_FillInfo(view, object, self->memory, self->size, 0, flags);
}

static PyType_Slot mapping_slots[] = {
    { Py_tp_doc, "Mapping(fd, size): the memory behind a file descriptor, shared and writable." },
    { Py_tp_new, (void *)(uintptr_t)mapping_new },
    { Py_tp_dealloc, (void *)(uintptr_t)mapping_free },
    { Py_bf_getbuffer, (void *)(uintptr_t)mapping_get_buffer },
    { 0, NULL },
};

PyType_Spec mapping_spec = {
    .name = "libparmap._core.Mapping",
    .basicsize = sizeof(struct mapping),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = mapping_slots,
};
