/** Names and identities of images, independent of how their host names them. */

declare const refBrand: unique symbol;
declare const identityBrand: unique symbol;

/** A name of an image. Only the `Images` of its connection makes, opens, resolves and prints it. Two names may denote
 * one image, so names are never compared. */
export type ImageRef = string & { readonly [refBrand]: true };

/** The host's identity of an image, whatever its name: device and inode of a file, the key of a volume. It is equal
 * for two names of one image and serves only for comparison. A missing image is identified by the place where it
 * would be. */
export type ImageIdentity = string & { readonly [identityBrand]: true };

/** One image of a chain. */
export type ImageLink = Readonly<{ ref: ImageRef; identity: ImageIdentity }>;
