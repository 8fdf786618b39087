/** Naming images without knowing how their host names them. */

declare const refBrand: unique symbol;
declare const identityBrand: unique symbol;

/** One name of an image, made by the `Images` of its connection, which alone opens, resolves and prints it. Two names may
 * be of one image, so names are never compared. */
export type ImageRef = string & { readonly [refBrand]: true };

/** What the host knows an image by, whatever it is called: device and inode of a file, the key of a volume. Equal for two
 * names of one image, and good for comparing alone. An image that is not there is known by where it would be. */
export type ImageIdentity = string & { readonly [identityBrand]: true };

/** One image of a chain. */
export type ImageLink = Readonly<{ ref: ImageRef; identity: ImageIdentity }>;
