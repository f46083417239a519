/* The SHA-256 of every regular file below a folder, as sha256sum prints it.
 *
 *     cc -O2 digest_files.c -o digest_files -lparmap && ./digest_files /usr/include
 *
 * Names in, digests out: items and results of any length are what par_map_bytes is for. A file that cannot be read
 * fails as one item, with its reason; the others are not disturbed.
 */
#define _XOPEN_SOURCE 700 /* nftw, strdup */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parmap.h>

#include "sha256.h"

static par_bytes *files; /* the path of each file, with its final zero */
static size_t count;
static int failed;

/* nftw calls this for all it finds. */
static int collect(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)place;
    if (kind == FTW_DNR || kind == FTW_NS) {
        fprintf(stderr, "digest_files: %s: %s\n", path, strerror(EACCES));
        failed = 1;
    }
    if (kind != FTW_F || !S_ISREG(about->st_mode))
        return 0;
    if ((count & (count - 1)) == 0) { /* full at each power of two: double it */
        par_bytes *larger = realloc(files, (count ? 2 * count : 1) * sizeof *files);
        if (!larger)
            return ENOMEM;
        files = larger;
    }
    files[count].len = strlen(path) + 1;
    files[count].data = strdup(path);
    return files[count++].data ? 0 : ENOMEM;
}

/* One item: a path in, 64 hexadecimal digits out. An errno is a good code for what went wrong. */
static int digest(const void *path, size_t len, par_bytes *out, void *ctx)
{
    (void)len, (void)ctx;
    FILE *file = fopen(path, "rb");
    if (!file)
        return errno;

    char buffer[16384];
    size_t got;
    sha256 sum;
    sha256_begin(&sum);
    errno = 0;
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        sha256_add(&sum, buffer, got);
    int error = ferror(file) ? (errno ? errno : EIO) : 0;
    fclose(file);
    if (error)
        return error;

    if (par_bytes_resize(out, 65) != PAR_OK)
        return ENOMEM;
    sha256_end(&sum, out->data);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: digest_files FOLDER\n");
        return 2;
    }
    if (nftw(argv[1], collect, 32, FTW_PHYS) != 0) {
        fprintf(stderr, "digest_files: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    par_bytes *digests = calloc(count + 1, sizeof *digests);
    par_item *items = calloc(count + 1, sizeof *items);
    if (!digests || !items) {
        fprintf(stderr, "digest_files: %s\n", strerror(ENOMEM));
        return 1;
    }

    par_report report = {0};
    report.size = sizeof report;
    par_options options = PAR_OPTIONS_INIT;
    options.flags = PAR_KEEP_GOING;
    options.items = items;
    options.report = &report;
    par_status status = par_map_bytes(digest, NULL, files, digests, count, &options);

    for (size_t i = 0; i < count; i++) {
        const char *path = files[i].data;
        if (items[i].state == PAR_ITEM_OK)
            printf("%s  %s\n", (const char *)digests[i].data, path);
        else
            fprintf(stderr, "digest_files: %s: %s\n", path, strerror(items[i].code));
    }
    if (status != PAR_OK) {
        fprintf(stderr, "digest_files: %s\n", report.message);
        failed = 1;
    }

    for (size_t i = 0; i < count; i++)
        free(files[i].data);
    free(files);
    par_bytes_free(digests, count);
    free(digests);
    free(items);
    return failed;
}
