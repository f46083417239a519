/* A million short results of differing length: par_map_bytes, or the contender's loop with results from malloc. */
#include "items.h"
#include "measure.h"

#include <stdlib.h>
#include <string.h>

static par_status resize_by_malloc(par_bytes *bytes, size_t len)
{
    void *data = realloc(bytes->data, len);
    if (data == NULL)
        return PAR_ENOMEM;
    bytes->data = data;
    bytes->len = len;
    return PAR_OK;
}

static int item_of_bytes(const void *in, void *out, void *ctx)
{
    const par_bytes *bytes = in;
    return item_text(bytes->data, bytes->len, out, ctx);
}

static void call(const struct setting *setting, struct text *text, const par_bytes *in, par_bytes *out, size_t n)
{
    if (setting->contender->map_bytes != NULL)
        setting->contender->map_bytes(item_text, text, in, out, n);
    else
        setting->contender->map(item_of_bytes, text, in, sizeof *in, out, sizeof *out, n);
}

void texts(const struct setting *setting)
{
    size_t n = number(setting, "n", 1000000);
    uint32_t *values = array_of(n, sizeof *values);
    par_bytes *in = array_of(n, sizeof *in), *out = array_of(n, sizeof *out);
    struct text text = {setting->contender->bytes_resize != NULL ? setting->contender->bytes_resize : resize_by_malloc};
    for (size_t i = 0; i < n; i++) {
        values[i] = (uint32_t)i;
        in[i].data = &values[i];
        in[i].len = sizeof *values;
    }
    struct budget budget = budget_of(setting, 3);
    while (again(&budget)) {
        memset(out, 0, n * sizeof *out); /* also brings the pages in */
        uint64_t begin = now_ns();
        call(setting, &text, in, out, n);
        if (budget.done > 1)
            sample("time_ns", (double)(now_ns() - begin));
        for (size_t i = 0; i < n; i++) {
            if (out[i].len < 6 || memcmp(out[i].data, "item ", 5) != 0 || strtoul((char *)out[i].data + 5, NULL, 10) != i)
                refuse("text %zu is wrong", i);
            free(out[i].data); /* par_bytes come from malloc too */
        }
    }
}
