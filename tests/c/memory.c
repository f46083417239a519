/* Memory that the library hands out: byte strings of any length, and blocks that forked processes share. */
#include "promise.h"

static void check_zero_from(const par_bytes *bytes, size_t from)
{
    for (size_t i = from; i < bytes->len; i++)
        CHECK_EQUAL(((const unsigned char *)bytes->data)[i], 0);
}

static void growing_keeps_what_is_there_and_adds_zeros(void)
{
    par_bytes bytes = {NULL, 0};
    CHECK_EQUAL(par_bytes_resize(&bytes, 5), PAR_OK);
    CHECK_EQUAL(bytes.len, 5);
    check_zero_from(&bytes, 0);
    memcpy(bytes.data, "hello", 5);
    CHECK_EQUAL(par_bytes_resize(&bytes, 100000), PAR_OK);
    CHECK_EQUAL(bytes.len, 100000);
    CHECK_EQUAL(memcmp(bytes.data, "hello", 5), 0);
    check_zero_from(&bytes, 5);
    par_bytes_free(&bytes, 1);
}

static void growing_after_shrinking_adds_zeros_again(void)
{
    par_bytes bytes = {NULL, 0};
    CHECK_EQUAL(par_bytes_resize(&bytes, 64), PAR_OK);
    memset(bytes.data, 'x', 64);
    CHECK_EQUAL(par_bytes_resize(&bytes, 10), PAR_OK);
    CHECK_EQUAL(bytes.len, 10);
    CHECK_EQUAL(par_bytes_resize(&bytes, 64), PAR_OK);
    CHECK_EQUAL(memcmp(bytes.data, "xxxxxxxxxx", 10), 0);
    check_zero_from(&bytes, 10);
    par_bytes_free(&bytes, 1);
}

static void a_length_of_zero_leaves_nothing_to_free(void)
{
    par_bytes bytes = {NULL, 0};
    CHECK_EQUAL(par_bytes_resize(&bytes, 0), PAR_OK);
    CHECK(bytes.data == NULL && bytes.len == 0);
    CHECK_EQUAL(par_bytes_resize(&bytes, 7), PAR_OK);
    CHECK_EQUAL(par_bytes_resize(&bytes, 0), PAR_OK);
    CHECK(bytes.data == NULL && bytes.len == 0);
}

static void freeing_zeroes_the_whole_array(void)
{
    par_bytes bytes[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    CHECK_EQUAL(par_bytes_resize(&bytes[0], 10), PAR_OK);
    CHECK_EQUAL(par_bytes_resize(&bytes[2], 20), PAR_OK);
    par_bytes_free(bytes, 3);
    for (int i = 0; i < 3; i++)
        CHECK(bytes[i].data == NULL && bytes[i].len == 0);
    par_bytes_free(bytes, 3);
    par_bytes_free(NULL, 0);
}

static void a_length_that_no_memory_holds_leaves_the_bytes_as_they_are(void)
{
    static const size_t lengths[] = {SIZE_MAX, (size_t)PTRDIFF_MAX + 1, (size_t)PTRDIFF_MAX};
    par_bytes bytes = {NULL, 0};
    CHECK_EQUAL(par_bytes_resize(&bytes, 3), PAR_OK);
    memcpy(bytes.data, "abc", 3);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        par_status status = par_bytes_resize(&bytes, lengths[i]);
        CHECK(status == PAR_ENOMEM || status == PAR_EINVAL);
        CHECK_EQUAL(bytes.len, 3);
        CHECK_EQUAL(memcmp(bytes.data, "abc", 3), 0);
    }
    par_bytes_free(&bytes, 1);
}

static void null_bytes_are_refused(void)
{
    CHECK_EQUAL(par_bytes_resize(NULL, 1), PAR_EINVAL);
}

static int *counter;

static void count_one(void)
{
    ADD(*counter, 1);
}

static void shared_memory_is_zeroed_and_reaches_a_forked_child(void)
{
    enum { LEN = 100000 };
    unsigned char *memory = par_shm_alloc(LEN);
    CHECK(memory != NULL);
    for (size_t i = 0; i < LEN; i++)
        CHECK_EQUAL(memory[i], 0);
    counter = (int *)(void *)memory;
    in_a_child(count_one);
    in_a_child(count_one);
    CHECK_EQUAL(*counter, 2);
    par_shm_free(memory, LEN);
}

static void shared_memory_that_cannot_be_had_is_null(void)
{
    CHECK(par_shm_alloc(SIZE_MAX) == NULL);
    CHECK(par_shm_alloc(0) == NULL);
    par_shm_free(NULL, 0);
}

const promise promises[] = {
    PROMISE(growing_keeps_what_is_there_and_adds_zeros),
    PROMISE(growing_after_shrinking_adds_zeros_again),
    PROMISE(a_length_of_zero_leaves_nothing_to_free),
    PROMISE(freeing_zeroes_the_whole_array),
    PROMISE(a_length_that_no_memory_holds_leaves_the_bytes_as_they_are),
    PROMISE(null_bytes_are_refused),
    PROMISE(shared_memory_is_zeroed_and_reaches_a_forked_child),
    PROMISE(shared_memory_that_cannot_be_had_is_null),
    {NULL, NULL},
};
