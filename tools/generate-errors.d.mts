/** Path of the committed page. */
export const page: string;
/** `[code, meaning]` of every error code, by kind. */
export function errorCodes(): Promise<
  Record<'operation' | 'input' | 'mainline' | 'cli', [code: string, meaning: string][]>
>;
/** The page as the sources make it now. */
export function errorsPage(): Promise<string>;
