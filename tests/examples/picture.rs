//! Reads a PNG of stored blocks, and doubts everything in it.

pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub points: Vec<[u8; 3]>,
}

impl Picture {
    /// Whether two points are of visibly different colours.
    pub fn differ(&self, a: (usize, usize), b: (usize, usize)) -> bool {
        let at = |(x, y): (usize, usize)| self.points[y * self.width + x];
        at(a).iter().zip(at(b)).any(|(a, b)| a.abs_diff(b) > 8)
    }
}

pub fn read(mut file: &[u8]) -> Picture {
    assert_eq!(take(&mut file, 8), b"\x89PNG\r\n\x1a\n");
    let mut header = Vec::new();
    let mut stream = Vec::new();
    loop {
        let len = number(take(&mut file, 4)) as usize;
        let checked = &file[..4 + len];
        let (name, data) = (take(&mut file, 4), take(&mut file, len));
        assert_eq!(number(take(&mut file, 4)), crc(checked));
        match name {
            b"IHDR" => header = data.to_vec(),
            b"IDAT" => stream.extend_from_slice(data),
            b"IEND" => break,
            other => panic!("a chunk called {other:?}"),
        }
    }
    assert!(file.is_empty(), "{} bytes after the end", file.len());
    assert_eq!(header[8..], [8, 2, 0, 0, 0], "8 bits, RGB, no interlace");
    let (width, height) = (number(&header[..4]) as usize, number(&header[4..8]) as usize);

    let lines = unpack(&stream);
    assert_eq!(lines.len(), height * (1 + 3 * width));
    let mut points = Vec::with_capacity(width * height);
    for line in lines.chunks(1 + 3 * width) {
        assert_eq!(line[0], 0, "no filter");
        points.extend(line[1..].chunks(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]));
    }
    Picture { width, height, points }
}

/// The contents of a zlib stream whose blocks are all stored.
fn unpack(mut stream: &[u8]) -> Vec<u8> {
    let head = take(&mut stream, 2);
    assert_eq!(head[0] & 15, 8, "deflate");
    assert_eq!(u16::from_be_bytes([head[0], head[1]]) % 31, 0);
    let mut contents = Vec::new();
    loop {
        let last = take(&mut stream, 1)[0];
        assert!(last <= 1, "a stored block");
        let sizes = take(&mut stream, 4);
        let len = u16::from_le_bytes([sizes[0], sizes[1]]);
        assert_eq!(u16::from_le_bytes([sizes[2], sizes[3]]), !len);
        contents.extend_from_slice(take(&mut stream, len.into()));
        if last == 1 {
            break;
        }
    }
    assert_eq!(number(stream), adler(&contents));
    contents
}

fn take<'a>(from: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (first, rest) = from.split_at(len);
    *from = rest;
    first
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().expect("four bytes"))
}

fn crc(data: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !data.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

fn adler(data: &[u8]) -> u32 {
    let (a, b) = data.iter().fold((1, 0), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65521;
        (a, (b + a) % 65521)
    });
    b << 16 | a
}
