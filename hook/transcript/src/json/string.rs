//! Where a string ends. Most of a transcript is long strings, so that 64 bytes are looked at together: a bit of a
//! number for each, the first byte's the lowest.

use super::token::before;
use wide::u8x64;

const BLOCK_BYTES: usize = 64;
/// Every second bit; the others would do as well.
const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// Where the quote is that ends a string. `odd` says, before and after, whether a piece of the string ended in
/// an odd number of backslashes, so that the next byte is not what it seems.
pub(super) fn string_end(bytes: &[u8], odd: &mut bool) -> Option<usize> {
    let (blocks, rest) = bytes.as_chunks();
    let mut at = 0;
    for block in blocks {
        let block = u8x64::new(*block);
        // most have none
        if block.simd_eq(u8x64::splat(b'"')).any()
            && let Some(end) = end(block, is_escaped(bytes, at, *odd))
        {
            return Some(at + end);
        }
        at += BLOCK_BYTES;
    }
    let mut last = [0; BLOCK_BYTES];
    last.get_mut(..rest.len())?.copy_from_slice(rest);
    let end = end(u8x64::new(last), is_escaped(bytes, at, *odd));
    *odd = is_escaped(bytes, bytes.len(), *odd);
    end.map(|end| at + end)
}

/// The first quote of a block that no backslash escapes; `odd` where one escapes the block's first byte.
fn end(block: u8x64, odd: bool) -> Option<usize> {
    let all = |byte| block.simd_eq(u8x64::splat(byte)).to_bitmask();
    let ends = all(b'"') & !escaped(all(b'\\'), odd);
    (ends != 0).then_some(ends.trailing_zeros() as usize)
}

/// The bytes behind an odd number of backslashes.
fn escaped(backslashes: u64, odd: bool) -> u64 {
    let first = u64::from(odd);
    let open = backslashes & !first;
    // the subtraction borrows through a run and no further, which leaves every second bit of it, wherever it begins:
    // the way of simdjson
    let pairs = ((open << 1) | ODD).wrapping_sub(open) ^ ODD;
    pairs ^ (backslashes | first)
}

/// Whether the byte at `at` stands behind an odd number of backslashes.
fn is_escaped(bytes: &[u8], at: usize, odd: bool) -> bool {
    let run = before(bytes, at).iter().rev().take_while(|byte| **byte == b'\\').count();
    (run % 2 == 1) ^ (run == at && odd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Byte by byte.
    fn end(bytes: &[u8], odd: &mut bool) -> Option<usize> {
        bytes.iter().position(|byte| {
            let ends = *byte == b'"' && !*odd;
            *odd = *byte == b'\\' && !*odd;
            ends
        })
    }

    proptest! {
        #[test]
        fn a_string_ends_where_its_bytes_say(
            bytes in prop::collection::vec(prop_oneof![
                40 => Just(vec![b'\\']),
                4 => Just(vec![b'x']),
                2 => Just(vec![b'"']),
                1 => any::<u8>().prop_map(|byte| vec![byte]),
                1 => (0..200_usize).prop_map(|length| vec![b'x'; length]),
            ], 0..200),
            odd in any::<bool>(),
        ) {
            let bytes = bytes.concat();
            let (mut expected_odd, mut found_odd) = (odd, odd);
            let expected = end(&bytes, &mut expected_odd);
            prop_assert_eq!(string_end(&bytes, &mut found_odd), expected);
            // what is behind the end is another's
            prop_assert!(expected.is_some() || found_odd == expected_odd);
        }
    }
}
