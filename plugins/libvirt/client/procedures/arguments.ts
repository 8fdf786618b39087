// The shapes that most calls share: a domain, then perhaps a text, then perhaps flags.

import { type Domain, writeDomain } from "../domain.ts";
import type { XdrWriter } from "../xdr.ts";

export const aboutDomain = (domain: Domain) => (writer: XdrWriter) => writeDomain(writer, domain);

export const withFlags = (domain: Domain, flags: number) => (writer: XdrWriter) => {
  writeDomain(writer, domain);
  writer.unsigned(flags);
};

export const withText = (domain: Domain, text: string, flags: number) => (writer: XdrWriter) => {
  writeDomain(writer, domain);
  writer.string(text);
  writer.unsigned(flags);
};

export const textAndFlags = (text: string, flags: number) => (writer: XdrWriter) => {
  writer.string(text);
  writer.unsigned(flags);
};
