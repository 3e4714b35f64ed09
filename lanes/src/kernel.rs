//! The compression function of MD5 (RFC 1321, section 3.4), for as many messages as a vector has lanes.

use fearless_simd::{Level, Simd, SimdBase, SimdInt, dispatch, u32x4, u32x8, u32x16};

use crate::{BLOCK, STATE};

/// The words of a block.
const WORDS: usize = 16;

/// The constants of the 64 steps: the integer part of 2^32 · |sin(step + 1)|.
const SINES: [u32; 64] = [
    0xd76a_a478,
    0xe8c7_b756,
    0x2420_70db,
    0xc1bd_ceee,
    0xf57c_0faf,
    0x4787_c62a,
    0xa830_4613,
    0xfd46_9501, //
    0x6980_98d8,
    0x8b44_f7af,
    0xffff_5bb1,
    0x895c_d7be,
    0x6b90_1122,
    0xfd98_7193,
    0xa679_438e,
    0x49b4_0821, //
    0xf61e_2562,
    0xc040_b340,
    0x265e_5a51,
    0xe9b6_c7aa,
    0xd62f_105d,
    0x0244_1453,
    0xd8a1_e681,
    0xe7d3_fbc8, //
    0x21e1_cde6,
    0xc337_07d6,
    0xf4d5_0d87,
    0x455a_14ed,
    0xa9e3_e905,
    0xfcef_a3f8,
    0x676f_02d9,
    0x8d2a_4c8a, //
    0xfffa_3942,
    0x8771_f681,
    0x6d9d_6122,
    0xfde5_380c,
    0xa4be_ea44,
    0x4bde_cfa9,
    0xf6bb_4b60,
    0xbebf_bc70, //
    0x289b_7ec6,
    0xeaa1_27fa,
    0xd4ef_3085,
    0x0488_1d05,
    0xd9d4_d039,
    0xe6db_99e5,
    0x1fa2_7cf8,
    0xc4ac_5665, //
    0xf429_2244,
    0x432a_ff97,
    0xab94_23a7,
    0xfc93_a039,
    0x655b_59c3,
    0x8f0c_cc92,
    0xffef_f47d,
    0x8584_5dd1, //
    0x6fa8_7e4f,
    0xfe2c_e6e0,
    0xa301_4314,
    0x4e08_11a1,
    0xf753_7e82,
    0xbd3a_f235,
    0x2ad7_d2bb,
    0xeb86_d391,
];

/// By how many bits the steps of a round rotate, in turn.
const ROTATIONS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The states of four messages, word by word, and the same number of blocks of each.
pub(crate) fn compress_4(level: Level, state: &mut [[u32; 4]; STATE], inputs: &[&[[u8; BLOCK]]; 4]) {
    dispatch!(level, simd => compress::<_, u32x4<_>, 4>(simd, state, inputs));
}

/// The same for eight messages.
pub(crate) fn compress_8(level: Level, state: &mut [[u32; 8]; STATE], inputs: &[&[[u8; BLOCK]]; 8]) {
    dispatch!(level, simd => compress::<_, u32x8<_>, 8>(simd, state, inputs));
}

/// The same for sixteen messages.
pub(crate) fn compress_16(level: Level, state: &mut [[u32; 16]; STATE], inputs: &[&[[u8; BLOCK]]; 16]) {
    dispatch!(level, simd => compress::<_, u32x16<_>, 16>(simd, state, inputs));
}

#[inline(always)]
fn compress<S: Simd, V: SimdInt<S, Element = u32>, const N: usize>(
    simd: S,
    state: &mut [[u32; N]; STATE],
    inputs: &[&[[u8; BLOCK]]; N],
) {
    let mut vectors: [V; STATE] = state.map(|word| V::from_slice(simd, &word));
    let blocks = inputs.iter().map(|input| input.len()).min().unwrap_or(0);
    for block in 0..blocks {
        let words = transpose(simd, &inputs.map(|input| &input[block]));
        let before = vectors;
        let [a, b, c, d] = &mut vectors;
        // Loops over the steps would not be unrolled, and each step would select its constants at run time.
        macro_rules! steps {
            ($round:literal, $mix:expr, ($factor:literal, $first:literal), $($step:literal)*) => {$(
                let word = V::from_slice(simd, &words[($first + $factor * $step) % WORDS]);
                let sum = *a + $mix(*b, *c, *d) + (word + SINES[$round * WORDS + $step]);
                let rotation = ROTATIONS[$round][$step % 4];
                (*a, *d, *c, *b) = (*d, *c, *b, *b + ((sum << rotation) | (sum >> (32 - rotation))));
            )*};
        }
        steps!(0, |b: V, c: V, d: V| d ^ (b & (c ^ d)), (1, 0), 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        steps!(1, |b: V, c: V, d: V| (d & b) | (!d & c), (5, 1), 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        steps!(2, |b: V, c: V, d: V| b ^ c ^ d, (3, 5), 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        steps!(3, |b: V, c: V, d: V| c ^ (b | !d), (7, 0), 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        for (vector, before) in vectors.iter_mut().zip(before) {
            *vector += before;
        }
    }
    for (word, vector) in state.iter_mut().zip(vectors) {
        vector.store_slice(word);
    }
}

/// Word by word what the blocks contain one after the other: squares of four words of four blocks.
#[inline(always)]
fn transpose<S: Simd, const N: usize>(simd: S, blocks: &[&[u8; BLOCK]; N]) -> [[u32; N]; WORDS] {
    let mut words = [[0; N]; WORDS];
    for (four_words, words) in words.chunks_exact_mut(4).enumerate() {
        for (four_lanes, blocks) in blocks.chunks_exact(4).enumerate() {
            let row = |lane: usize| {
                let word = |word: usize| {
                    let at = (four_words * 4 + word) * 4;
                    let block = blocks[lane];
                    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
                };
                u32x4::load_array(simd, [word(0), word(1), word(2), word(3)])
            };
            let rows = [row(0), row(1), row(2), row(3)];
            let even = (simd.zip_low_u32x4(rows[0], rows[2]), simd.zip_high_u32x4(rows[0], rows[2]));
            let odd = (simd.zip_low_u32x4(rows[1], rows[3]), simd.zip_high_u32x4(rows[1], rows[3]));
            let columns = [
                simd.zip_low_u32x4(even.0, odd.0),
                simd.zip_high_u32x4(even.0, odd.0),
                simd.zip_low_u32x4(even.1, odd.1),
                simd.zip_high_u32x4(even.1, odd.1),
            ];
            for (word, column) in words.iter_mut().zip(columns) {
                column.store_slice(&mut word[four_lanes * 4..four_lanes * 4 + 4]);
            }
        }
    }
    words
}
