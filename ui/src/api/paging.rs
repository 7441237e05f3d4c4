//! Which part of a list a request asks for: `limit` entries at most, those after the place that `next` of the part before named.
//!
//! A place is where an entry stands in the list's order and not how many were told: entries come and go meanwhile, and still each that
//! stays is told once.

use data_encoding::HEXLOWER;
use utoipa::IntoParams;

use super::problem::ApiError;
use super::query;
use crate::answers::Page;

/// How many entries a list tells at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// When nobody says how many.
    pub(super) usual: u64,
    /// At most.
    pub(super) most: u64,
}

/// Of most lists.
pub(super) const PAGE: Sizes = Sizes { usual: 1000, most: 5000 };

/// What a list takes besides its own, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; `Part` reads it")]
pub(super) struct PartQuery {
    /// `next` of the part before.
    after: Option<String>,
    /// Entries at most; how many without it, and how many it may be, see docs/api.md.
    limit: Option<String>,
}

/// The part that is asked for.
#[derive(Debug, Clone)]
pub(super) struct Part {
    after: Option<String>,
    limit: usize,
}

impl Part {
    /// # Errors
    /// `limit` is no number or out of bounds.
    pub(super) fn of(asked: Option<&str>, sizes: Sizes) -> Result<Self, ApiError> {
        let limit = query::number(asked, "limit")?.unwrap_or(sizes.usual);
        if limit == 0 || limit > sizes.most {
            return Err(ApiError::bad(format!("\"limit\" is 1 to {} for this list", sizes.most)));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(Self { after: query::text(asked, "after")?, limit })
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The place to go on at, as `read` understands it; none to begin.
    ///
    /// # Errors
    /// It is no place.
    pub(super) fn after<T>(&self, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, ApiError> {
        let wrong = || ApiError::bad("\"after\" is what `next` said before, and this is something else");
        self.after.as_deref().map(|text| read(text).ok_or_else(wrong)).transpose()
    }

    /// The same where a place is a number; 0 to begin.
    ///
    /// # Errors
    /// It is no number.
    pub(super) fn after_number(&self) -> Result<u64, ApiError> {
        Ok(self.after(|text| text.parse().ok())?.unwrap_or(0))
    }

    /// The same where a place is bytes.
    ///
    /// # Errors
    /// It is no [`place_text`].
    pub(super) fn after_bytes(&self) -> Result<Option<Vec<u8>>, ApiError> {
        self.after(|text| HEXLOWER.decode(text.as_bytes()).ok())
    }

    /// This part of a list that is short enough to be in memory, in the order of `key`, which no two entries share.
    ///
    /// # Errors
    /// The place to go on at is none.
    pub(super) fn of_all<T>(&self, list: Vec<T>, key: impl Fn(&T) -> Vec<u8>) -> Result<Page<T>, ApiError> {
        let after = self.after_bytes()?;
        let mut keyed: Vec<(Vec<u8>, T)> = list.into_iter().map(|entry| (key(&entry), entry)).collect();
        keyed.retain(|(key, _)| after.as_ref().is_none_or(|after| key > after));
        keyed.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let more = keyed.len() > self.limit;
        keyed.truncate(self.limit);
        let next = keyed.last().filter(|_| more).map(|(key, _)| place_text(key));
        Ok(Page { entries: keyed.into_iter().map(|(_, entry)| entry).collect(), next })
    }
}

/// A place of bytes as `next` tells it.
pub(super) fn place_text(place: &[u8]) -> String {
    HEXLOWER.encode(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(list: &mut Vec<u8>, mut between: impl FnMut(&mut Vec<u8>)) -> Vec<u8> {
        let (mut told, mut asked) = (Vec::new(), "limit=2".to_string());
        loop {
            let part = Part::of(Some(&asked), PAGE).unwrap();
            let page = part.of_all(list.clone(), |entry| vec![*entry]).unwrap();
            assert!(page.entries.len() <= 2);
            told.extend(page.entries);
            match page.next {
                Some(next) => asked = format!("limit=2&after={next}"),
                None => return told,
            }
            between(list);
        }
    }

    #[test]
    fn each_entry_is_told_once_though_others_come_and_go() {
        assert_eq!(walk(&mut vec![5, 1, 3, 2, 4], |_| {}), [1, 2, 3, 4, 5]);
        assert_eq!(walk(&mut vec![1, 2], |_| {}), [1, 2]);
        assert_eq!(walk(&mut vec![], |_| {}), [0; 0]);
        // The last one that was told goes, and one comes before it.
        let mut turn = 1;
        let told = walk(&mut vec![10, 20, 30, 40, 50], |list| {
            list.retain(|entry| *entry != 20);
            list.push(turn);
            turn += 1;
        });
        assert_eq!(told, [10, 20, 30, 40, 50]);
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for wrong in ["limit=0", "limit=5001", "limit=x", "limit=1&limit=1", "after=%ff"] {
            assert!(Part::of(Some(wrong), PAGE).is_err(), "{wrong}");
        }
        for wrong in ["x", "abc", "AB"] {
            let part = Part::of(Some(&format!("after={wrong}")), PAGE).unwrap();
            assert!(
                part.after_bytes().is_err() && part.of_all(vec![1], |one| vec![*one]).is_err(),
                "{wrong}"
            );
        }
        assert!(Part::of(Some("after=-1"), PAGE).unwrap().after_number().is_err());
        assert_eq!(Part::of(None, PAGE).unwrap().after_number().unwrap(), 0);
    }
}
