/* The smallest PNG writer: 8-bit RGB, stored without compression. Enough to look at a picture. */
#ifndef PNG_H
#define PNG_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The CRC-32 that closes each chunk, bit by bit: pass 0 to begin, or what came out for the bytes before. */
static uint32_t png_crc(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *byte = data;
    crc = ~crc;
    while (len--) {
        crc ^= *byte++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

static void png_put32(uint8_t out[4], uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A chunk: length, name, data, checksum of the last two. */
static void png_chunk(FILE *file, const char name[4], const void *data, size_t len)
{
    uint8_t number[4];
    png_put32(number, (uint32_t)len);
    fwrite(number, 1, 4, file);
    fwrite(name, 1, 4, file);
    fwrite(data, 1, len, file);
    png_put32(number, png_crc(png_crc(0, name, 4), data, len));
    fwrite(number, 1, 4, file);
}

/* One line of the picture per IDAT chunk and per stored block of the zlib stream that runs through them.
 * A stored block holds at most 65535 bytes, so the picture is at most 21844 points wide.
 * Returns 0, or -1 with the reason in errno. */
static int png_write(const char *path, const uint8_t *rgb, uint32_t width, uint32_t height)
{
    static uint8_t block[2 + 5 + 65535 + 4]; /* zlib header, block header, filter type and line, checksum */
    const size_t line = 3 * (size_t)width, len = 1 + line;
    uint32_t a = 1, b = 0; /* Adler-32 of the lines so far */

    FILE *file = fopen(path, "wb");
    if (!file)
        return -1;
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, file);

    uint8_t header[13] = {0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0}; /* 8 bits, RGB */
    png_put32(header, width);
    png_put32(header + 4, height);
    png_chunk(file, "IHDR", header, sizeof header);

    for (uint32_t y = 0; y < height; y++) {
        uint8_t *at = block;
        if (y == 0) {
            *at++ = 0x78;
            *at++ = 0x01;
        }
        *at++ = y + 1 == height; /* the last block? */
        *at++ = (uint8_t)len;
        *at++ = (uint8_t)(len >> 8);
        *at++ = (uint8_t)~len;
        *at++ = (uint8_t)(~len >> 8);
        *at = 0; /* no filter */
        memcpy(at + 1, rgb + y * line, line);
        for (size_t i = 0; i < len; i++) {
            a = (a + *at++) % 65521;
            b = (b + a) % 65521;
        }
        if (y + 1 == height) {
            png_put32(at, b << 16 | a);
            at += 4;
        }
        png_chunk(file, "IDAT", block, (size_t)(at - block));
    }
    png_chunk(file, "IEND", "", 0);

    int failed = ferror(file);
    return fclose(file) != 0 || failed ? -1 : 0;
}
#endif
