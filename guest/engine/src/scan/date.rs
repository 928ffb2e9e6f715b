//! Dates of the proleptic Gregorian calendar.

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: i64,
    /// 1 to 31.
    pub(super) day: i64,
}

impl Date {
    /// Whether the calendar has this day.
    pub(super) fn is_valid(self) -> bool {
        (1..=12).contains(&self.month) && (1..=days_in_month(self.year, self.month)).contains(&self.day)
    }

    /// Days since 1970-01-01. Years are counted from March so that leap days come last.
    pub(super) fn days_since_epoch(self) -> i64 {
        let Date { year, month, day } = self;
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days_before_month = (153 * month + 2) / 5;
        365 * year + year.div_euclid(4) - year.div_euclid(100)
            + year.div_euclid(400)
            + days_before_month
            + day
            - 719_469
    }

    /// The day so many days after 1970-01-01.
    pub(super) fn of_days_since_epoch(days: i64) -> Date {
        // Eras of 400 years have the same number of days.
        let days = days + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let (carry, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
        Date { year: era * 400 + year_of_era + carry, month, day }
    }

    /// The ISO 8601 week: that of the Thursday between the same Monday and Sunday, counted in the Thursday's year.
    pub(super) fn week(self) -> i64 {
        let days = self.days_since_epoch();
        let thursday = days - (days + 3).rem_euclid(7) + 3;
        let new_year = Date { year: Date::of_days_since_epoch(thursday).year, month: 1, day: 1 };
        (thursday - new_year.days_since_epoch()) / 7 + 1
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn every_day_of_two_cycles_has_its_date_and_week() {
        let mut expected = Date { year: -1, month: 12, day: 31 };
        let (first, last) = (expected.days_since_epoch(), Date { year: 800, ..expected }.days_since_epoch());
        let mut week = expected.week();
        for days in first..last {
            assert_eq!(Date::of_days_since_epoch(days), expected);
            assert_eq!(expected.days_since_epoch(), days);
            let is_monday = (days + 3).rem_euclid(7) == 0;
            let found = expected.week();
            match (is_monday, found) {
                (false, _) => assert_eq!(found, week, "{expected:?}"),
                (true, 1) => assert!(week >= 52, "{expected:?}"),
                (true, _) => assert_eq!(found, week + 1, "{expected:?}"),
            }
            // The 4th of January is always in the first week.
            assert!((expected.month, expected.day) != (1, 4) || found == 1, "{expected:?}");
            week = found;
            let tomorrow = Date { day: expected.day + 1, ..expected };
            let next_month = Date { month: expected.month + 1, day: 1, ..expected };
            let new_year = Date { year: expected.year + 1, month: 1, day: 1 };
            expected = [tomorrow, next_month, new_year].into_iter().find(|date| date.is_valid()).unwrap();
        }
    }
}
