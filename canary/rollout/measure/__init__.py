"""What was measured: samples of one side, merged into windows.

In: counts, distributions and gauges of a period, as the cloud reported them. Out: `Sample`,
`Distribution` and `Window`, with ratios, percentiles and means, or None where there is no data.
Door: `samples`.
"""
