/** Path of the committed page. */
export const page: string;
/** The page for what `/metrics` serves. */
export function metricsPage(text: string): string;
