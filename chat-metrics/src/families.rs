//! Families of metrics as they are written: a name and a sentence, and then one line for each set of labels.

use std::fmt::Error;
use std::time::Duration;

use chat_core::Histogram;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// A label and its value.
pub(crate) type Label<'a> = (&'static str, &'a str);

/// Writes one family after the other.
pub(crate) struct Families<'a>(pub(crate) DescriptorEncoder<'a>);

impl Families<'_> {
    pub(crate) fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        ConstCounter::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    /// A counter for each set of labels.
    pub(crate) fn counters<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = ([Label<'l>; N], u64)>,
    ) -> Result<(), Error> {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in rows {
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        ConstGauge::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    pub(crate) fn bytes(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        ConstGauge::new(value).encode(self.0.encode_descriptor(name, help, Some(&Unit::Bytes), MetricType::Gauge)?)
    }

    /// A gauge for each set of labels.
    pub(crate) fn gauges<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = ([Label<'l>; N], u64)>,
    ) -> Result<(), Error> {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in rows {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// A gauge of a time for each set of labels.
    pub(crate) fn gauges_of_seconds<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = ([Label<'l>; N], Duration)>,
    ) -> Result<(), Error> {
        let mut family = self.0.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for (labels, value) in rows {
            ConstGauge::new(value.as_secs_f64()).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// Of things that are counted.
    pub(crate) fn sizes(&mut self, name: &str, help: &str, histogram: &Histogram) -> Result<(), Error> {
        self.histogram(name, help, None, 1.0, histogram)
    }

    /// Of microseconds, told in seconds.
    pub(crate) fn seconds(&mut self, name: &str, help: &str, histogram: &Histogram) -> Result<(), Error> {
        self.histogram(name, help, Some(&Unit::Seconds), 1e6, histogram)
    }

    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        per_unit: f64,
        histogram: &Histogram,
    ) -> Result<(), Error> {
        let buckets = histogram.buckets.iter().map(|(bound, count)| (*bound as f64 / per_unit, *count));
        let buckets: Vec<(f64, u64)> = buckets.chain([(f64::INFINITY, histogram.above)]).collect();
        let mut family = self.0.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        family.encode_histogram::<NoLabelSet>(histogram.sum as f64 / per_unit, histogram.count(), &buckets, None)
    }
}
