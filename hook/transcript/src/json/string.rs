//! Where a string ends. Most of a transcript is long strings, so that 64 bytes are looked at together: a bit of a
//! number for each, the first byte's the lowest.

use wide::u8x64;

const BLOCK_BYTES: usize = 64;
/// Every second bit, and not the lowest.
const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// Where the quote is that ends a string. `odd` says, before and after, whether a piece of the string ended in
/// an odd number of backslashes, so that the next byte is not what it seems.
pub(super) fn string_end(bytes: &[u8], odd: &mut bool) -> Option<usize> {
    let (blocks, rest) = bytes.as_chunks();
    let mut at = 0;
    for block in blocks {
        let (ends, open) = ends(block, *odd);
        if ends != 0 {
            return Some(at + ends.trailing_zeros() as usize);
        }
        *odd = open >> (BLOCK_BYTES - 1) == 1;
        at += BLOCK_BYTES;
    }
    let last = rest.len().checked_sub(1)?;
    let mut block = [0; BLOCK_BYTES];
    block.get_mut(..=last)?.copy_from_slice(rest);
    let (ends, open) = ends(&block, *odd);
    *odd = open >> last == 1;
    (ends != 0).then_some(at + ends.trailing_zeros() as usize)
}

/// The quotes that end a string, and the backslashes that say what the next byte is; `odd` where the first byte
/// stands behind such a one.
fn ends(block: &[u8; BLOCK_BYTES], odd: bool) -> (u64, u64) {
    let block = u8x64::new(*block);
    let all = |byte| block.simd_eq(u8x64::splat(byte)).to_bitmask();
    let backslashes = all(b'\\');
    let escaped = escaped(backslashes, odd);
    (all(b'"') & !escaped, backslashes & !escaped)
}

/// The bytes that stand behind an odd number of backslashes.
fn escaped(backslashes: u64, odd: bool) -> u64 {
    let first = u64::from(odd);
    if backslashes == 0 {
        return first;
    }
    let open = backslashes & !first;
    // a run that begins at an odd bit is left out by the first step and borrowed through by the second, so that
    // of either sort every second bit is left
    let pairs = (open << 1 | ODD).wrapping_sub(open) ^ ODD;
    pairs ^ (backslashes | first)
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
