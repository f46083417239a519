/* The module libparmap._core: its state, its slots, its functions.
 *
 * Multi-phase init and a state per interpreter make it safe to import in any number of sub-interpreters. One
 * binary serves every CPython from 3.11 on (the limited API), so which slots there are is asked at run time. */
#include "core.h"

/* Slots newer than the API of 3.11 that this file is compiled against; numbers and values never change. */
#ifndef Py_mod_multiple_interpreters
#define Py_mod_multiple_interpreters 3
#define Py_MOD_PER_INTERPRETER_GIL_SUPPORTED ((void *)2)
#endif
#ifndef Py_mod_gil
#define Py_mod_gil 4
#define Py_MOD_GIL_NOT_USED ((void *)1)
#endif

static PyObject *cpu_count(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    return PyLong_FromSize_t(par_cpu_count());
}

/* The spelling that map_buffer's form of a signature has, for libparmap.callback. */
static PyObject *normal_signature(PyObject *Py_UNUSED(module), PyObject *signature)
{
    const char *text = PyUnicode_AsUTF8AndSize(signature, NULL);
    const struct function_form *form = text == NULL ? NULL : form_of_text(text, "callback: signature");

    return form == NULL ? NULL : PyUnicode_FromString(form->spelling);
}

int wants_arguments(const char *name, Py_ssize_t given, Py_ssize_t wanted)
{
    if (given == wanted)
        return 0;
    PyErr_Format(PyExc_TypeError, "_core.%s takes %zd arguments, not %zd", name, wanted, given);
    return -1;
}

#define FAST(function) (PyCFunction)(void (*)(void))function, METH_FASTCALL

static PyMethodDef core_methods[] = {
    { "map_buffer", FAST(map_buffer), NULL },
    { "run", FAST(run), NULL },
    { "normal_signature", normal_signature, METH_O, NULL },
    { "cpu_count", cpu_count, METH_NOARGS,
      "cpu_count()\n--\n\nThe CPUs this process may use: its affinity mask and its container's quota, rounded up." },
    { "is_main_interpreter", is_main_interpreter, METH_NOARGS, NULL },
    { "ranks_init", ranks_init, METH_NOARGS, NULL },
    { "ranks_rank", ranks_rank, METH_NOARGS, NULL },
    { "ranks_size", ranks_size, METH_NOARGS, NULL },
    { "ranks_time", ranks_time, METH_NOARGS, NULL },
    { "ranks_library", ranks_library, METH_NOARGS, NULL },
    { "ranks_processor_name", ranks_processor_name, METH_NOARGS, NULL },
    { "ranks_barrier", ranks_barrier, METH_NOARGS, NULL },
    { "ranks_abort", ranks_abort, METH_O, NULL },
    { "ranks_finalize", ranks_finalize, METH_NOARGS, NULL },
    { "ranks_send", ranks_send, METH_VARARGS, NULL },
    { "ranks_receive", ranks_receive, METH_VARARGS, NULL },
    { "ranks_receive_into", ranks_receive_into, METH_VARARGS, NULL },
    { "fill", fill, METH_VARARGS, NULL },
    { "ranks_broadcast", ranks_broadcast, METH_VARARGS, NULL },
    { "ranks_scatter", ranks_scatter, METH_VARARGS, NULL },
    { "ranks_gather", ranks_gather, METH_VARARGS, NULL },
    { "ranks_reduce", ranks_reduce, METH_VARARGS, NULL },
    { "fork", fork_worker, METH_O, NULL },
    { "status_after_reaping", status_after_reaping, METH_O, NULL },
    { "board_open", FAST(board_open), NULL },
    { "board_load", FAST(board_load), NULL },
    { "board_look", FAST(board_look), NULL },
    { "board_take_back", FAST(board_take_back), NULL },
    { "run_items", FAST(run_items), NULL },
    { NULL, NULL, 0, NULL },
};

static int add_version(PyObject *module)
{
    const uint32_t version = par_version();
    PyObject *text = PyUnicode_FromFormat("%u.%u.%u", version >> 16, version >> 8 & 0xff, version & 0xff);
    int added = text == NULL ? -1 : PyModule_AddObjectRef(module, "__version__", text);

    Py_XDECREF(text);
    return added;
}

static int add_constants_of_run(PyObject *module)
{
    static const struct {
        const char *name;
        long value;
    } constants[] = {
        { "KEEP_GOING", PAR_KEEP_GOING },
        { "RUN_INHERIT", PAR_RUN_INHERIT },
        { "RUN_SYNC", PAR_RUN_SYNC },
        { "ITEM_OK", PAR_ITEM_OK },
        { "ITEM_FAILED", PAR_ITEM_FAILED },
        { "ITEM_EXITED", PAR_ITEM_EXITED },
        { "ITEM_SIGNALED", PAR_ITEM_SIGNALED },
        { "ITEM_TIMED_OUT", PAR_ITEM_TIMED_OUT },
        { "ITEM_SPAWN_FAILED", PAR_ITEM_SPAWN_FAILED },
    };

    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (PyModule_AddIntConstant(module, constants[i].name, constants[i].value) < 0)
            return -1;
    return 0;
}

static int add_type(PyObject *module, PyType_Spec *spec, const char *name)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    const int added = type == NULL ? -1 : PyModule_AddObjectRef(module, name, type);

    Py_XDECREF(type);
    return added;
}

static int core_exec(PyObject *module)
{
    core_state *state = PyModule_GetState(module);

    state->item_error = PyErr_NewExceptionWithDoc(
        "libparmap.ItemError",
        "The C function failed for an item.\n\n"
        "index: which item, counted along the first axis; code: what the function returned for it, or, where "
        "its worker died, the signal or exit code: the message says which.",
        PyExc_RuntimeError, NULL);
    if (state->item_error == NULL || PyModule_AddObjectRef(module, "ItemError", state->item_error) < 0)
        return -1;
    if (PyModule_AddIntConstant(module, "THREADS", PAR_THREADS) < 0
        || PyModule_AddIntConstant(module, "PROCESSES", PAR_PROCESSES) < 0
        || PyModule_AddIntConstant(module, "MPI", PAR_MPI) < 0)
        return -1;
    if (add_constants_of_run(module) < 0 || add_sync(module) < 0)
        return -1;
    if (add_type(module, &mapping_spec, "Mapping") < 0 || add_type(module, &descriptor_spec, "Descriptor") < 0)
        return -1;
    return add_version(module);
}

static int core_traverse(PyObject *module, visitproc visit, void *arg)
{
    core_state *state = PyModule_GetState(module);

    Py_VISIT(state->item_error);
    Py_VISIT(state->sync_error);
    return 0;
}

static int core_clear(PyObject *module)
{
    core_state *state = PyModule_GetState(module);

    Py_CLEAR(state->item_error);
    Py_CLEAR(state->sync_error);
    return 0;
}

static void core_free(void *module)
{
    core_clear(module);
}

#define EXEC_SLOT { Py_mod_exec, (void *)(uintptr_t)core_exec }

static PyModuleDef_Slot slots_of_3_11[] = {
    EXEC_SLOT,
    { 0, NULL },
};

static PyModuleDef_Slot slots_of_3_12[] = {
    EXEC_SLOT,
    { Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
    { 0, NULL },
};

static PyModuleDef_Slot slots_of_3_13[] = {
    EXEC_SLOT,
    { Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
    { Py_mod_gil, Py_MOD_GIL_NOT_USED },
    { 0, NULL },
};

static struct PyModuleDef core_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "libparmap._core",
    .m_size = sizeof(core_state),
    .m_methods = core_methods,
    .m_traverse = core_traverse,
    .m_clear = core_clear,
    .m_free = core_free,
};

PyMODINIT_FUNC PyInit__core(void)
{
    if (Py_Version >= 0x030d0000)
        core_module.m_slots = slots_of_3_13;
    else if (Py_Version >= 0x030c0000)
        core_module.m_slots = slots_of_3_12;
    else
        core_module.m_slots = slots_of_3_11;
    return PyModuleDef_Init(&core_module);
}
