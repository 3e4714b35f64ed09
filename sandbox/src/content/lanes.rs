//! Two MD5 sums over the same bytes in one pass.
//!
//! An upload needs the MD5 of the complete body (its ETag) and the MD5 of each block of it (its content hash). Both
//! process the same 64-byte chunks. One MD5 leaves most of a core idle, since each of its steps waits for the previous
//! one. A second hash computed in between costs little, while two passes would double the time.

use md5::block_api::compress;

/// The four words an MD5 sum consists of while it is being computed.
pub(super) type State = [u32; 4];

/// The state before the first chunk.
pub(super) const START: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// A chunk, the unit MD5 works in.
pub(super) type Chunk = [u8; 64];

/// Feeds the same chunks to two sums.
///
/// Unoptimised builds take two passes of the `md-5` crate, which is optimised even there.
pub(super) fn compress_both(first: &mut State, second: &mut State, chunks: &[Chunk]) {
    if cfg!(debug_assertions) {
        compress(first, chunks);
        compress(second, chunks);
    } else {
        weave(first, second, chunks);
    }
}

/// Constants of the 64 steps (RFC 1321): the fractions of the sines of 1 to 64.
#[rustfmt::skip]
const SINES: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

/// How far each step rotates: four amounts in turn for each round of sixteen.
const ROTATIONS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// Which word of the chunk step `STEP` takes.
const fn word_of(step: usize) -> usize {
    match step / 16 {
        0 => step % 16,
        1 => (5 * step + 1) % 16,
        2 => (3 * step + 5) % 16,
        _ => (7 * step) % 16,
    }
}

/// One step of one sum: the new value of the word that the step replaces.
#[inline(always)]
fn step<const STEP: usize>([a, b, c, d]: State, words: &[u32; 16]) -> State {
    let known = words[const { word_of(STEP) }].wrapping_add(SINES[STEP]).wrapping_add(a);
    // What depends on `b`, the newest word, comes last: everything else is ready before it.
    let sum = match STEP / 16 {
        0 => known.wrapping_add(d ^ (b & (c ^ d))),
        1 => known.wrapping_add(c & !d).wrapping_add(b & d),
        2 => known.wrapping_add((c ^ d) ^ b),
        _ => known.wrapping_add(c ^ (b | !d)),
    };
    let next = sum.rotate_left(ROTATIONS[STEP / 16][STEP % 4]).wrapping_add(b);
    [d, next, b, c]
}

macro_rules! weave_steps {
    ($first:ident, $second:ident, $words:ident: $($step:literal)*) => {
        $(
            $first = step::<$step>($first, $words);
            $second = step::<$step>($second, $words);
        )*
    };
}

/// The 64 steps of both sums, step by step in turn.
#[rustfmt::skip]
fn weave_chunk(mut first: State, mut second: State, words: &[u32; 16]) -> (State, State) {
    weave_steps!(first, second, words:
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
        16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
        32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47
        48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
    );
    (first, second)
}

fn weave(first: &mut State, second: &mut State, chunks: &[Chunk]) {
    for chunk in chunks {
        let mut words = [0_u32; 16];
        for (word, bytes) in words.iter_mut().zip(chunk.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        let (stepped_first, stepped_second) = weave_chunk(*first, *second, &words);
        for index in 0..4 {
            first[index] = first[index].wrapping_add(stepped_first[index]);
            second[index] = second[index].wrapping_add(stepped_second[index]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn woven_sums_equal_separate_ones() {
        let chunks: Vec<Chunk> =
            (0..40_usize).map(|chunk| std::array::from_fn(|at| (chunk * 131 + at * 7) as u8)).collect();
        let (mut whole, mut late) = (START, START);
        compress(&mut whole, &chunks[..3]);
        weave(&mut whole, &mut late, &chunks[3..]);
        let (mut expected_whole, mut expected_late) = (START, START);
        compress(&mut expected_whole, &chunks);
        compress(&mut expected_late, &chunks[3..]);
        assert_eq!((whole, late), (expected_whole, expected_late));
    }
}
