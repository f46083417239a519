/* A host that opens the library itself, closes it, and opens it again: its threads stay alive, so it stays loaded. */
#define _GNU_SOURCE
#include "promise.h"

#include <dlfcn.h>

typedef par_status (*map_call)(par_map_fn, void *, const void *, size_t, void *, size_t, size_t, const par_options *);

static int meet(const void *item, void *result, void *ctx)
{
    (void)item, (void)result;
    ADD(*(int *)ctx, 1);
    return !reaches(ctx, 2);
}

/* Opens the library and makes a call that needs a helper thread. */
static void *open_and_use(void)
{
    int in[2] = {0, 1}, begun = 0;
    par_options options = PAR_OPTIONS_INIT;
    options.workers = 2;
    void *library = dlopen("libparmap.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        broken(__FILE__, __LINE__, "%s", dlerror());
    void *symbol = dlsym(library, "par_map");
    map_call map;
    CHECK(symbol != NULL);
    memcpy(&map, &symbol, sizeof map); /* ISO C has no cast between the two */
    CHECK_EQUAL(map(meet, &begun, in, sizeof in[0], NULL, 0, 2, &options), PAR_OK);
    return library;
}

static void a_library_that_was_closed_can_be_opened_again(void)
{
    for (int round = 0; round < 10; round++) {
        CHECK_EQUAL(dlclose(open_and_use()), 0);
        sleep_ms(20);
    }
}

static void a_closed_library_stays_loaded(void)
{
    CHECK_EQUAL(dlclose(open_and_use()), 0);
    CHECK(dlopen("libparmap.so.0", RTLD_NOW | RTLD_NOLOAD) != NULL);
}

static void open_use_and_close(void)
{
    CHECK_EQUAL(dlclose(open_and_use()), 0);
}

static void a_forked_child_can_open_it_again(void)
{
    open_use_and_close();
    in_a_child(open_use_and_close);
    open_use_and_close();
}

const promise promises[] = {
    PROMISE(a_library_that_was_closed_can_be_opened_again),
    PROMISE(a_closed_library_stays_loaded),
    PROMISE(a_forked_child_can_open_it_again),
    {NULL, NULL},
};
