//! MD5 of many messages at the same time.
//!
//! Each step of MD5 depends on the one before, so one message cannot use more than a part of a core. Several messages are
//! independent: each gets a lane of the SIMD registers, and up to [`LANES`] take one another's time. The package is
//! separate from its users so that it is optimized in all profiles.

mod kernel;

use fearless_simd::Level;

/// The most messages that are hashed at the same time. More are hashed in several turns.
pub const LANES: usize = 16;

/// A digest, in bytes.
pub type Digest = [u8; 16];

/// The bytes that MD5 takes at once.
const BLOCK: usize = 64;

/// The words of a state.
const STATE: usize = 4;

/// The state of a message without bytes.
const INITIAL: [u32; STATE] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// A message of which some bytes are hashed.
#[derive(Debug, Clone)]
pub struct Message {
    state: [u32; STATE],
    /// Bytes so far.
    length: u64,
    /// The bytes that do not fill a block yet: `length % 64` of them.
    rest: [u8; BLOCK],
}

/// Blocks to be added to a state.
struct Task<'a> {
    state: &'a mut [u32; STATE],
    blocks: &'a [[u8; BLOCK]],
}

impl Default for Message {
    /// A message without bytes.
    fn default() -> Self {
        Self { state: INITIAL, length: 0, rest: [0; BLOCK] }
    }
}

impl Message {
    /// How many bytes of the last block there are.
    fn filled(&self) -> usize {
        (self.length % BLOCK as u64) as usize
    }

    /// The bytes that MD5 adds at the end of a message: a bit, zeros, and the length in bits.
    fn padding(&self) -> Vec<u8> {
        let mut padding = vec![0x80];
        padding.resize(1 + (2 * BLOCK - 9 - self.filled()) % BLOCK, 0);
        padding.extend_from_slice(&self.length.wrapping_mul(8).to_le_bytes());
        padding
    }

    fn digest(&self) -> Digest {
        let mut digest = [0; 16];
        for (bytes, word) in digest.chunks_exact_mut(4).zip(self.state) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        digest
    }
}

/// Adds the next bytes to several messages: the first input to the first message, and so on. This is fastest if all inputs
/// have the same length, a multiple of 64 bytes.
///
/// # Panics
/// There are more or fewer inputs than messages.
pub fn update(messages: &mut [Message], inputs: &[&[u8]]) {
    update_at(Level::new(), messages, inputs);
}

/// The digests of several messages, in their order.
pub fn finish(messages: Vec<Message>) -> Vec<Digest> {
    finish_at(Level::new(), messages)
}

/// The digests of several complete messages, in their order.
pub fn md5(contents: &[&[u8]]) -> Vec<Digest> {
    let mut messages = vec![Message::default(); contents.len()];
    update(&mut messages, contents);
    finish(messages)
}

fn update_at(level: Level, messages: &mut [Message], inputs: &[&[u8]]) {
    assert_eq!(messages.len(), inputs.len(), "each message has an input");
    let mut inputs = inputs.to_vec();
    let filled: Vec<Option<[u8; BLOCK]>> =
        messages.iter_mut().zip(&mut inputs).map(|(message, input)| fill(message, input)).collect();
    let firsts = messages.iter_mut().zip(&filled).filter_map(|(message, filled)| {
        Some(Task { state: &mut message.state, blocks: std::slice::from_ref(filled.as_ref()?) })
    });
    compress(level, firsts.collect());
    let mut tasks = Vec::with_capacity(messages.len());
    for (message, input) in messages.iter_mut().zip(inputs) {
        if input.is_empty() {
            continue;
        }
        let (blocks, rest) = input.as_chunks();
        message.length += input.len() as u64;
        message.rest[..rest.len()].copy_from_slice(rest);
        tasks.push(Task { state: &mut message.state, blocks });
    }
    compress(level, tasks);
}

/// Moves bytes of an input to the incomplete block of a message, if it has one, and returns it once it is complete. The
/// input is empty or the message has no incomplete block afterwards.
fn fill(message: &mut Message, input: &mut &[u8]) -> Option<[u8; BLOCK]> {
    let filled = message.filled();
    if filled == 0 {
        return None;
    }
    let (now, later) = input.split_at(input.len().min(BLOCK - filled));
    message.rest[filled..filled + now.len()].copy_from_slice(now);
    message.length += now.len() as u64;
    *input = later;
    (message.filled() == 0 && !now.is_empty()).then_some(message.rest)
}

fn finish_at(level: Level, mut messages: Vec<Message>) -> Vec<Digest> {
    let paddings: Vec<Vec<u8>> = messages.iter().map(Message::padding).collect();
    let paddings: Vec<&[u8]> = paddings.iter().map(Vec::as_slice).collect();
    update_at(level, &mut messages, &paddings);
    messages.iter().map(Message::digest).collect()
}

/// Works on similar tasks together, until all are done.
fn compress(level: Level, mut tasks: Vec<Task<'_>>) {
    tasks.retain(|task| !task.blocks.is_empty());
    tasks.sort_by_key(|task| std::cmp::Reverse(task.blocks.len()));
    while !tasks.is_empty() {
        for tasks in tasks.chunks_mut(LANES) {
            let blocks = tasks.iter().map(|task| task.blocks.len()).min().unwrap_or(0);
            match tasks.len() {
                1 => md5::block_api::compress(tasks[0].state, tasks[0].blocks),
                2..=4 => side_by_side(tasks, blocks, |state, inputs| kernel::compress_4(level, state, inputs)),
                5..=8 => side_by_side(tasks, blocks, |state, inputs| kernel::compress_8(level, state, inputs)),
                _ => side_by_side(tasks, blocks, |state, inputs| kernel::compress_16(level, state, inputs)),
            }
            tasks.iter_mut().for_each(|task| task.blocks = &task.blocks[blocks..]);
        }
        tasks.retain(|task| !task.blocks.is_empty());
    }
}

/// Takes the first blocks of each task, all in lanes of their own. Unused lanes repeat the first task for nothing.
fn side_by_side<const N: usize>(
    tasks: &mut [Task<'_>],
    blocks: usize,
    kernel: impl FnOnce(&mut [[u32; N]; STATE], &[&[[u8; BLOCK]]; N]),
) {
    let task = |lane| if lane < tasks.len() { lane } else { 0 };
    let inputs = std::array::from_fn(|lane| &tasks[task(lane)].blocks[..blocks]);
    let mut state = std::array::from_fn(|word| std::array::from_fn(|lane| tasks[task(lane)].state[word]));
    kernel(&mut state, &inputs);
    for (lane, task) in tasks.iter_mut().enumerate() {
        *task.state = state.map(|word| word[lane]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::md5::{Digest as _, Md5};
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Lengths around the ends of blocks and of the padding.
    const LENGTHS: [usize; 20] =
        [0, 1, 8, 55, 56, 57, 63, 64, 65, 100, 119, 120, 121, 127, 128, 129, 183, 184, 1000, 4096];

    /// All instruction sets of this machine.
    fn levels() -> Vec<Level> {
        let best = Level::new();
        #[cfg(target_arch = "x86_64")]
        return [
            best.as_sse2().map(Level::Sse2),
            best.as_sse4_2().map(Level::Sse4_2),
            best.as_avx2().map(Level::Avx2),
            best.as_avx512().map(Level::Avx512),
        ]
        .into_iter()
        .flatten()
        .collect();
        #[cfg(not(target_arch = "x86_64"))]
        vec![best]
    }

    fn expected(content: &[u8]) -> Digest {
        Md5::digest(content).into()
    }

    fn content(length: usize, seed: usize) -> Vec<u8> {
        (0..length).map(|index| ((index + seed) * (seed * 2 + 31) % 251) as u8).collect()
    }

    fn hashed(level: Level, contents: &[Vec<u8>]) -> Vec<Digest> {
        let mut messages = vec![Message::default(); contents.len()];
        update_at(level, &mut messages, &contents.iter().map(Vec::as_slice).collect::<Vec<_>>());
        finish_at(level, messages)
    }

    #[test]
    fn equal_lengths_in_any_number_of_lanes_have_their_digests() {
        for level in levels() {
            for lanes in 0..=2 * LANES + 1 {
                for length in LENGTHS {
                    let contents: Vec<Vec<u8>> = (0..lanes).map(|lane| content(length, lane)).collect();
                    let expected: Vec<Digest> = contents.iter().map(|content| expected(content)).collect();
                    assert_eq!(hashed(level, &contents), expected, "{lanes} times {length} bytes, {level:?}");
                }
            }
        }
    }

    #[test]
    fn the_digests_of_the_standard_are_reproduced() {
        let digests: [(&str, u128); 4] = [
            ("", 0xd41d_8cd9_8f00_b204_e980_0998_ecf8_427e),
            ("abc", 0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72),
            ("message digest", 0xf96b_697d_7cb7_938d_525a_2f31_aaf1_61d0),
            ("abcdefghijklmnopqrstuvwxyz", 0xc3fc_d3d7_6192_e400_7dfb_496c_ca67_e13b),
        ];
        let found = md5(&digests.map(|(content, _)| content.as_bytes()));
        assert_eq!(found, digests.map(|(_, digest)| digest.to_be_bytes()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn any_lengths_in_any_pieces_have_their_digests(
            lanes in vec((vec(any::<u8>(), 0..700), vec(0_usize..200, 0..6)), 0..40),
        ) {
            for level in levels() {
                let mut messages = vec![Message::default(); lanes.len()];
                let mut rests: Vec<&[u8]> = lanes.iter().map(|(content, _)| content.as_slice()).collect();
                for piece in 0..6 {
                    let inputs: Vec<&[u8]> = rests.iter_mut().zip(&lanes).map(|(rest, (_, pieces))| {
                        let length = pieces.get(piece).copied().unwrap_or(0).min(rest.len());
                        let (now, later) = rest.split_at(length);
                        *rest = later;
                        now
                    }).collect();
                    update_at(level, &mut messages, &inputs);
                }
                update_at(level, &mut messages, &rests);
                let expected: Vec<Digest> = lanes.iter().map(|(content, _)| expected(content)).collect();
                prop_assert_eq!(finish_at(level, messages), expected);
            }
        }
    }
}
